"""The main job on real TensorRT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions
from trtdebug.core.outcome import TensorError
from trtdebug.session.limits import process_tree, size_words
from trtdebug.stages.observing.propagate import propagate

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 3  # processes with a TensorRT of their own
MAGIKA_RUNS = 10
MINILM_SHAPES = ("input_ids:[2,64]", "attention_mask:[2,64]")
MINILM_RANGE = "attention_mask:[1,1]"
MINILM = [*(w for shape in MINILM_SHAPES for w in ("--input-shapes", shape)), "--val-range", MINILM_RANGE]


@dataclass(frozen=True)
class Done:
    """A command's exit code and report."""

    code: int
    report: dict[str, Any]

    @property
    def named(self) -> set[str]:
        """The culprits; each has to be proven."""
        assert all(c["proven"] for c in self.report["culprits"])
        return {n for c in self.report["culprits"] for n in c["nodes"]}

    @property
    def spent(self) -> Counter[str]:
        """Trials by stage. A stage may come more than once."""
        counts = Counter[str]()
        for stage in self.report["stages"]:
            counts[stage["name"]] += stage["trials"]
        return counts


def trtdebug(*words: object) -> Done:
    """Runs `trtdebug ...` as a process of its own."""
    line = [sys.executable, "-m", "trtdebug", *map(str, words), "--json", "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return Done(done.returncode, json.loads(done.stdout))


def all_of(commands: Sequence[Sequence[object]]) -> list[Done]:
    """Runs commands, `AT_ONCE` at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda words: trtdebug(*words), commands))


def test_attention_is_taken_to_exactly_its_twelve_nodes(tmp_path: Path) -> None:
    """Alone on the GPU: beside other processes its natural builds come out in FP32, and so pass."""
    model = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
    done = trtdebug("run", model, "--fp16", "--session", tmp_path / "session")
    report = done.report
    print(f"{report['verdict']}, {report['flaky']}, {report['trials']}, {dict(done.spent)}")
    norms, parts = ("b3_ln1", "b3_ln2", "lnf"), ("pow", "var", "eps", "sqrt")
    assert done.code == 1
    assert report["verdict"] in ("diverges", "fragile")
    assert done.named == {f"{norm}_{part}" for norm in norms for part in parts}
    assert report["fixes"][-1]["verified"]
    assert report["fixes"][-1]["builds_passed"] == [2, 2]
    assert report["repro"]["verified"], report["repro"]["note"]
    assert done.spent["observe"] + done.spent["localise"] <= 3
    piece = 1  # of the repro, which is built to see it fail
    assert report["trials"]["builds"] - piece <= 6


@pytest.mark.timeout(400)
def test_magika_is_never_called_healthy(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    """Built as the user does, it passes or fails by the builder's mood."""
    model = model_path("magika_standard_v3_3.onnx")
    what = ("--fp16", "--input-shapes", "bytes:[4,2048]", "--builds", 1)
    commands = [
        (*(("fix", model, "--fix-builds", 10) if number == 0 else ("bisect", model)), *what)
        for number in range(MAGIKA_RUNS)
    ]
    runs = all_of([(*words, "--session", tmp_path / f"s{number}") for number, words in enumerate(commands)])
    print(Counter((done.report["verdict"], done.report["flaky"]["failed"]) for done in runs))
    for done in runs:
        assert done.code == 1
        assert done.report["verdict"] in ("diverges", "fragile")
        names = {n.rsplit("MagikaV2/", 1)[-1] for n in done.named}
        assert names == {"LayerNorm_1/Sum_1", "LayerNorm_1/truediv_1"}
    fix = runs[0].report["fixes"][-1]
    assert fix["verified"], fix["reason"]
    assert fix["builds_passed"] == [10, 10]


HEALTHY: Mapping[str, tuple[str, Sequence[object]]] = {
    "minilm": ("minilm_l6_v4096.onnx", [*MINILM, "--builds", 3]),
    "silero": ("silero_vad_16k_static.onnx", ["--builds", 3]),
    "residual_block": ("polygraphy/residual_block.onnx", []),
}


@pytest.fixture(scope="module")
def healthy(
    tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]
) -> Iterator[Callable[[str], Done]]:
    """What came of a healthy model; all of them are run at the same time."""
    folder = tmp_path_factory.mktemp("healthy")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {}
        for name, (file, words) in HEALTHY.items():
            try:
                model = model_path(file)
            except pytest.skip.Exception:
                continue  # the test of this model says so
            line = ("run", model, "--fp16", "--session", folder / name, *words)
            started[name] = pool.submit(trtdebug, *line)

        def wait(name: str) -> Done:
            model_path(HEALTHY[name][0])
            return started[name].result()

        yield wait


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_models_match(healthy: Callable[[str], Done], name: str) -> None:
    done = healthy(name)
    print(done.report["flaky"], done.report["trials"])
    assert (done.code, done.report["verdict"]) == (0, "matches"), done.report["reason"]
    assert done.report["culprits"] == []
    builds = 3 if "--builds" in HEALTHY[name][1] else 2
    assert done.report["flaky"] == {"builds": builds, "failed": 0, "untested": 0}


@dataclass(frozen=True)
class Marked:
    """Every tensor of a model marked: errors by tensor, builds, peak of the largest worker's host memory in bytes."""

    errors: Mapping[str, TensorError]
    builds: int
    peak: int


def mark_all(model: Path, session: Path, max_memory: int | None) -> Marked:
    """What `trtdebug compare` does first; its second part, each node by itself, is not asked for here."""
    options = CaseOptions(
        model,
        fp16=True,
        opt_level=0,
        input_shapes=list(MINILM_SHAPES),
        val_range=[MINILM_RANGE],
        max_memory=max_memory,
        session=session,
        quiet=True,
    )
    with opened(options) as case:
        found = propagate(case.ctx)
        assert found.outcome.status != "untestable", found.outcome.reason
        peak = max(map(_peak, process_tree(os.getpid())[1:]), default=0)
        return Marked(found.errors, case.ctx.session.counts.builds, peak)


def test_minilm_marked_within_a_memory_budget_has_the_same_errors(
    tmp_path: Path, model_path: Callable[[str], Path]
) -> None:
    """77 MiB of tensors, at most 64 MiB of them in one engine.

    Fewer marks let the builder fuse more, so that a tensor has gone through other roundings on its way. Between two
    fusions its error changes by some unit roundoffs, 2^-11 each, or by a small factor where roundings add up. A
    batch with a wrong or a shifted tensor would be off by about 1.
    """
    model = model_path("minilm_l6_v4096.onnx")
    whole = mark_all(model, tmp_path / "whole", None)
    parts = mark_all(model, tmp_path / "parts", 64 << 20)
    ratios = {t: _ratio(whole.errors[t].rms_rel, parts.errors[t].rms_rel) for t in whole.errors}
    worst = max(ratios, key=lambda t: ratios[t])
    print(
        f"{len(ratios)} tensors; builds {whole.builds} and {parts.builds}; worst ratio {ratios[worst]:.2f}, {worst}"
    )
    print(f"peak of the worker: {size_words(whole.peak)} and {size_words(parts.peak)}")
    assert whole.builds == 1
    assert parts.builds > 1
    assert list(parts.errors) == list(whole.errors)
    # constants, which cannot be outputs, are not among them
    assert "missing-output" not in {error.kind for error in whole.errors.values()}
    assert {t: e.status for t, e in parts.errors.items()} == {t: e.status for t, e in whole.errors.items()}
    assert ratios[worst] <= 4, worst


def _ratio(one: float, other: float) -> float:
    """The larger error over the smaller; what lies under two unit roundoffs of FP16 counts as two."""
    small, large = sorted(max(error, 2 * 2.0**-11) for error in (one, other))
    return large / small


def _peak(pid: int) -> int:
    """Most memory that a process ever held, bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)
