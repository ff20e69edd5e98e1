"""Trials of the op mixes: each a job of one session, against onnxruntime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import onnx
from op_mix_graphs import OpMix, op_mix
from ort import run

from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import ForcePrecision, Intervention, PinPrecision
from trtdebug.core.outcome import Outcome
from trtdebug.graph.load import content_sha256, load_model, save_model
from trtdebug.graph.types import tensor_types
from trtdebug.oracle.tolerance import Limits
from trtdebug.plugins.types import Executor
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.session import Session

ROUNDING = 2e-2  # relative RMS error that low precision all the way may bring
QUANTUM = 1e-1  # where a rounding decides which INT8 step is taken


class MixTrials:
    """Builds and runs op mixes on one backend, at its cheapest level, all in one session and so in one worker.

    Without a timing cache: what a graph comes to must not depend on the graphs before it.
    """

    def __init__(self, folder: Path, backend: str, executor: Executor) -> None:
        self.folder, self.backend = folder, backend
        self.session = Session(folder, executor)
        self._models: dict[int, onnx.ModelProto] = {}
        self._sampled: set[int] = set()

    def forced(self, seed: int, pins: Iterable[str] = ()) -> Outcome:
        """The mix with every float node forced to FP16 but the pinned."""
        interventions: list[Intervention] = [ForcePrecision("fp16")]
        if pinned := tuple(pins):
            interventions.append(PinPrecision(pinned))
        return self.session.run(self._job(seed, tuple(interventions)))

    def model(self, seed: int) -> onnx.ModelProto:
        """The mix as a trial sees it: every node named."""
        if seed not in self._models:
            save_model(mixed(seed).model, self._path(seed))
            self._models[seed] = load_model(self._path(seed))
        return self._models[seed]

    def half(self, seed: int) -> tuple[str, ...]:
        """A random half of the nodes that write floats."""
        random = np.random.default_rng(seed)
        return tuple(n for n in float_nodes(self.model(seed)) if random.random() < 0.5)

    def _path(self, seed: int) -> Path:
        return self.folder / "models" / f"mix{seed}.onnx"

    def _sample(self, seed: int) -> str:
        """The sample with the mix's inputs and the reference's outputs."""
        name, mix = f"mix{seed}", mixed(seed)
        if seed not in self._sampled:
            self._sampled.add(seed)
            for tensor, value in {**mix.feeds, **run(mix.model, mix.feeds)}.items():
                self.session.tensors.put(name, TensorRef(tensor), value)
        return name

    def _job(self, seed: int, interventions: tuple[Intervention, ...]) -> Job:
        self.model(seed)  # saves it
        path, mix = self._path(seed), mixed(seed)
        return Job(
            purpose=f"mix {seed}",
            backend=self.backend,
            model=str(path),
            model_sha256=content_sha256(path),
            inputs_sha256="",
            samples=(self._sample(seed),),
            options=BuildOptions("fp16", tf32=False, optimization_level=0),
            limits=Limits(QUANTUM if mix.quantised else ROUNDING),
            feeds={name: TensorRef(name) for name in mix.feeds},
            interventions=interventions,
            expected={o.name: TensorRef(o.name) for o in mix.model.graph.output},
        )


class Lanes:
    """Several `MixTrials`, each with a worker of its own, that share the work.

    Its threads live until `close`: a worker dies with the thread that started it.
    """

    def __init__(self, lanes: Sequence[MixTrials]) -> None:
        self._lanes = lanes
        self._idle: SimpleQueue[MixTrials] = SimpleQueue()
        for lane in lanes:
            self._idle.put(lane)
        self._threads = ThreadPoolExecutor(len(lanes))

    def forced(self, seeds: Iterable[int], pinned: bool = False) -> dict[int, Outcome]:
        """By seed, in their order: the mix with every float node forced to FP16, or with `half` of them pinned."""
        wanted = list(seeds)
        return dict(zip(wanted, self._threads.map(lambda seed: self._one(seed, pinned), wanted), strict=True))

    def model(self, seed: int) -> onnx.ModelProto:
        """See `MixTrials.model`."""
        return self._lanes[0].model(seed)

    def close(self) -> None:
        for lane in self._lanes:
            lane.session.close()
        self._threads.shutdown()

    def _one(self, seed: int, pinned: bool) -> Outcome:
        lane = self._idle.get()
        try:
            return lane.forced(seed, lane.half(seed) if pinned else ())
        finally:
            self._idle.put(lane)


@cache
def mixed(seed: int) -> OpMix:
    return op_mix(seed)


def float_nodes(model: onnx.ModelProto) -> list[str]:
    """Nodes that write floats, constants left out."""
    types = tensor_types(model)
    return [
        n.name
        for n in model.graph.node
        if n.op_type != "Constant" and any(t in types and types[t].is_float for t in n.output)
    ]


def error(outcome: Outcome) -> float:
    """Largest relative RMS error of an output."""
    return max(t.rms_rel for t in outcome.tensors)
