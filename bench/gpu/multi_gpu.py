"""Localisation on 1, 2, 4, ... GPUs: wall time, rounds, how busy each worker was, and whether the answers agree.

    python bench/gpu/multi_gpu.py                             # 1, 2, 4 GPUs (as many as there are), TensorRT
    python bench/gpu/multi_gpu.py --workers 1,4 --blocks 16 --culprits 10
    python bench/gpu/multi_gpu.py --candidate slow --seconds 3   # no GPU: the emulator, each build takes 3 s more

The model is a small residual network with planted overflows: behind some of its blocks the activations go through
values beyond FP16, so that two nodes each are at fault: who writes them, and who reads them. With `--fault conv` these
are convolutions, with `--fault root` a square and its root. What is measured is the search: it gets no look at single
nodes ahead, which would convict these nodes in one build. So it has `--culprits` nodes to find, as with faults that no
look at single nodes shows. All workers have built before the clock starts. Each number of workers has a session of its
own, whose timing cache begins with what a build all in FP16 and builds all in FP32 left. at_once.py tells how much
there is to gain on a host.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "samples"), str(ROOT / "tests" / "support")]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from _builder import Graph  # noqa: E402
from cnn import _basic_block, _conv  # noqa: E402
from slow_backend import SECONDS, install  # noqa: E402

from trtdebug.backends.tensorrt.device import device_count  # noqa: E402
from trtdebug.core.case import BuildOptions  # noqa: E402
from trtdebug.core.outcome import Outcome  # noqa: E402
from trtdebug.graph.load import save_model  # noqa: E402
from trtdebug.plugins.builtin import load_plugins  # noqa: E402
from trtdebug.session.devices import own_environments  # noqa: E402
from trtdebug.session.executor import Crew, WorkerProcesses  # noqa: E402
from trtdebug.session.job import Job  # noqa: E402
from trtdebug.session.limits import GPUS_VARIABLE, WORKERS_VARIABLE, WorkerLimits, default_memory  # noqa: E402
from trtdebug.session.session import Session  # noqa: E402
from trtdebug.stages.context import Context  # noqa: E402
from trtdebug.stages.localising.atoms import fused_layers  # noqa: E402
from trtdebug.stages.localising.localise import localise  # noqa: E402
from trtdebug.stages.observing.observe import Observation  # noqa: E402
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples  # noqa: E402
from trtdebug.stages.verdicts.sanity import sanity, with_forced  # noqa: E402


def network(
    blocks: int, culprits: int, width: int, size: int, fault: str, seed: int = 0
) -> tuple[onnx.ModelProto, set[str]]:
    """`blocks` residual blocks of convolutions, some with an overflow behind them; and the culprits' names."""
    if culprits % 2 or not 2 <= culprits <= 2 * blocks:
        raise SystemExit(f"{culprits} culprits: give an even number, at most two a block ({blocks} blocks)")
    graph = Graph("multi_gpu", seed=seed)
    x = graph.input("image", [1, 3, size, size])
    x = graph.op("stem_relu", "Relu", _conv(graph, "stem", x, 3, width))
    behind = {int((i + 0.5) * blocks / (culprits // 2)) for i in range(culprits // 2)}
    overflow = {"conv": _through_convolutions, "root": _through_a_square}[fault]
    planted: set[str] = set()
    for block in range(blocks):
        x = _basic_block(graph, f"b{block}", x, width, width)
        if block in behind:
            x, nodes = overflow(graph, f"f{block}", x, width)
            planted |= nodes
    x = graph.op("pool", "ReduceMean", x, axes=[2, 3], keepdims=0)
    weight = graph.normal("head.weight", width, 10, scale=width**-0.5)
    y = graph.op("logits", "Gemm", x, weight, graph.normal("head.bias", 10, scale=0.1))
    return graph.model(y, [1, 10]), planted


def _through_convolutions(graph: Graph, name: str, x: str, width: int) -> tuple[str, set[str]]:
    """Two convolutions, with some 100,000 between them; each has weights that FP16 holds, or takes for 0."""
    large = _conv(graph, f"{name}_up", x, width, width, gain=2e5)
    small = _conv(graph, f"{name}_down", large, width, width, gain=1.4 / 2e5)
    return graph.op(f"{name}_relu", "Relu", small), {f"{name}_up", f"{name}_down"}


def _through_a_square(graph: Graph, name: str, x: str, width: int) -> tuple[str, set[str]]:
    """x, positive as ReLU leaves it: 600 x, its square (360,000 and more), and the root of it."""
    large = graph.op(f"{name}_scale", "Mul", x, graph.constant(f"{name}_scale.factor", 600.0))
    square = graph.op(f"{name}_square", "Mul", large, large)
    root = graph.op(f"{name}_root", "Sqrt", square)
    back = graph.op(f"{name}_back", "Mul", root, graph.constant(f"{name}_back.factor", 1 / 600))
    return back, {f"{name}_square", f"{name}_root"}


@dataclass
class Watched:
    """A member of the crew, and the seconds that it was busy."""

    member: WorkerProcesses
    busy: float = 0.0

    def run(self, job: Job) -> Outcome:
        started = time.perf_counter()
        try:
            return self.member.run(job)
        finally:
            self.busy += time.perf_counter() - started

    def __getattr__(self, name: str) -> object:
        return getattr(self.member, name)


@dataclass
class Counting(Session):
    """A session that counts how often it did something at once, and tells on stderr how long each time took."""

    rounds: int = 0

    def run_all(self, jobs):  # type: ignore[no-untyped-def]
        self.rounds += 1
        started = time.perf_counter()
        outcomes = super().run_all(jobs)
        seconds = time.perf_counter() - started
        verdicts = " ".join(outcome.status for outcome in outcomes)
        print(f"  round {self.rounds}: {seconds:.1f} s, {verdicts}", file=sys.stderr, flush=True)
        return outcomes


@dataclass(frozen=True)
class Measured:
    workers: int
    ready: float
    wall: float
    trials: int
    rounds: int
    busy: tuple[float, ...]
    culprits: frozenset[frozenset[str]]
    pins: frozenset[str]
    unknown: tuple[str, ...] = field(default=())


def measure(model: Path, inputs: Path, candidate: str, workers: int, seed: int) -> Measured:
    """Reference, forced and pinned build; all workers warm; then the search, on the clock."""
    with tempfile.TemporaryDirectory(prefix="trtdebug-bench-") as name:
        folder = Path(name) / "session"
        plugins = load_plugins()
        request = CaseRequest(
            model, BuildOptions("fp16"), candidate=candidate, inputs=inputs, builds=0, seed=seed
        )
        prepared = prepare(request, plugins)
        gpus = {GPUS_VARIABLE: ",".join(map(str, range(workers)))}
        own = own_environments(gpus if candidate == "tensorrt" else {WORKERS_VARIABLE: str(workers)})
        limits = WorkerLimits(600, default_memory() // workers)
        members = [Watched(WorkerProcesses(folder, limits, plugins.to_env() | place)) for place in own]
        session = Counting(folder, Crew(members))  # type: ignore[arg-type]
        try:
            started = time.perf_counter()
            store_samples(prepared, session.tensors)
            session.store_case(prepared.case)
            session.executor.start(prepared.case.reference, candidate)  # type: ignore[union-attr]
            ctx = Context(session, prepared.case, plugins)
            sane = with_forced(ctx, sanity(ctx))
            if not sane.searchable or sane.forced is None or sane.forced.signature is None:
                raise SystemExit(f"nothing to search: forced {sane.forced}, pinned {sane.pinned}")
            all_pinned = ctx.candidate_job("warm up", ctx.exposing(()), fast=True)
            session.run_all([replace(all_pinned, repeat=1 + number) for number in range(workers)])
            ready = time.perf_counter() - started
            before, session.rounds = session.counts.total, 0
            for member in members:
                member.busy = 0.0
            started = time.perf_counter()
            layers = fused_layers(sane.forced.engine)
            found = localise(ctx, sane.forced.signature, Observation({}, {}), sane.fast, layers=layers)
            wall = time.perf_counter() - started
        finally:
            session.close()
    return Measured(
        workers,
        ready,
        wall,
        session.counts.total - before,
        session.rounds,
        tuple(m.busy / wall for m in members),
        frozenset(frozenset(c.nodes) for c in found.culprits if c.proven),
        frozenset(found.pins or ()),
        found.unknown,
    )


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="trtdebug-bench-") as name:
        folder = Path(name)
        if options.candidate == "slow":
            _install_slow(folder, options.seconds)
        model, planted = network(options.blocks, options.culprits, options.width, options.size, options.fault)
        save_model(model, folder / "model.onnx")
        image = np.random.default_rng(1).standard_normal((1, 3, options.size, options.size))
        np.savez(folder / "inputs.npz", image=image.astype(np.float32))
        nodes = len(model.graph.node)
        print(f"{nodes} nodes, {len(planted)} culprits, {options.candidate}, {os.cpu_count()} CPU cores")
        print(
            f"{'workers':>7} {'ready s':>8} {'search s':>9} {'trials':>7} {'rounds':>7} {'times':>6}  busy, by worker"
        )
        done: list[Measured] = []
        for workers in options.workers:
            done.append(measure(folder / "model.onnx", folder / "inputs.npz", options.candidate, workers, 0))
            _print(done[-1], done[0])
    return _judged(done, planted, options.at_least)


def _print(row: Measured, first: Measured) -> None:
    busy = " ".join(f"{share:.0%}" for share in row.busy)
    times = first.wall / row.wall
    print(
        f"{row.workers:>7} {row.ready:>8.1f} {row.wall:>8.1f} {row.trials:>8} {row.rounds:>8} {times:>8.2f}  {busy}",
        flush=True,
    )
    for line in row.unknown:
        print(f"        unknown: {line}")


def _judged(done: list[Measured], planted: set[str], at_least: float) -> int:
    """Prints whether all answers are the same, and the right one; and the ratio at four workers, if asked for."""
    same = all((m.culprits, m.pins) == (done[0].culprits, done[0].pins) for m in done)
    named = {n for culprit in done[0].culprits for n in culprit}
    print(f"same answer with every number of workers: {'yes' if same else 'NO'}")
    strange = sum(not culprit & planted for culprit in done[0].culprits)
    print(
        f"named: {len(named & planted)} of {len(planted)} planted nodes, {len(named - planted)} more of their layers, "
        f"{strange} culprits without any"
    )
    four = next((m for m in done if m.workers == 4), None)
    fast = four is None or done[0].wall / four.wall >= at_least
    if four is not None:
        print(
            f"4 workers: {done[0].wall / four.wall:.2f} times faster than {done[0].workers} (limit {at_least})"
        )
    return 0 if same and planted <= named and not strange and fast else 1


def _install_slow(folder: Path, seconds: float) -> None:
    """Makes `--candidate slow` known to this process and to its workers."""
    environment = install(folder / "site")
    sys.path.insert(0, str(folder / "site"))
    os.environ["PYTHONPATH"] = environment["PYTHONPATH"]
    os.environ["TRTDEBUG_LOAD_PLUGINS"] = environment["TRTDEBUG_LOAD_PLUGINS"]
    os.environ[SECONDS] = str(seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--candidate", default="tensorrt", help="tensorrt, or slow: the emulator")
    parser.add_argument("--seconds", type=float, default=1.0, help="what a build of slow takes more")
    parser.add_argument("--workers", help="such as 1,2,4; default: so many, as far as there are GPUs")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--culprits", type=int, default=10)
    parser.add_argument("--fault", choices=("conv", "root"), default="conv")
    parser.add_argument("--width", type=int, default=32, help="channels")
    parser.add_argument("--size", type=int, default=32, help="of the image")
    parser.add_argument(
        "--at-least", type=float, default=2.5, help="times faster with 4 workers; else exit code 1"
    )
    options = parser.parse_args()
    if options.workers:
        options.workers = [int(word) for word in options.workers.split(",")]
    else:
        most = device_count() if options.candidate == "tensorrt" else 4
        options.workers = [n for n in (1, 2, 4, 8) if n <= most]
    if not options.workers:
        parser.error("CUDA sees no GPU here; --candidate slow needs none")
    return options


if __name__ == "__main__":
    sys.exit(main())
