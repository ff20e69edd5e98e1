"""Fixes: tried in order, verified as the user builds on all samples, with their latencies."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from keeping_backend import KeepingBackend, diagnose, opened
from seed_models import model_of, node, value
from several_workers import with_workers

from trtdebug.backends.base import BuildRequest
from trtdebug.core.diagnosis import Latency
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import (
    BanTactic,
    BreakFusion,
    ForcePrecision,
    Intervention,
    Knob,
    MarkOutputs,
    PinPrecision,
    ReplaceGraph,
    UseTactic,
)
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
NEEDED = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")
NORM = ("norm_mean", "norm_centre", *NEEDED, "norm_div", "norm_mul", "norm_add")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """An MLP with one LayerNorm that overflows."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    return importlib.import_module("layernorm_overflow").build()


@dataclass(frozen=True)
class Proposes:
    """A plugin that proposes this first."""

    interventions: tuple[Intervention, ...]

    @hookimpl
    def trtdebug_fixes(self) -> Iterable[FixProposer]:
        return [FixProposer("first", "for tests", self.propose)]

    def propose(self, context: FixContext) -> Iterable[FixProposal]:
        return [FixProposal("first", "something else", self.interventions, 0.0)]


def pinned(request: BuildRequest) -> tuple[str, ...]:
    return tuple(n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes)


def is_forced(request: BuildRequest) -> bool:
    return any(isinstance(i, ForcePrecision) for i in request.interventions)


def by_pins(fp32: float, plain: float, some: float, more: float) -> Callable[[BuildRequest], float]:
    """Milliseconds: in FP32, in FP16 without pins, with the needed pins, and with more than these."""

    def milliseconds(request: BuildRequest) -> float:
        if request.options.precision == "fp32":
            return fp32
        return {0: plain, len(NEEDED): some}.get(len(pinned(request)), more)

    return milliseconds


# kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "intervention",
    [Knob("tf32", "off"), BanTactic("fc1", "0x1:0x2"), UseTactic("fc1", "*:0x2"), BreakFusion("norm_pow")],
    ids=lambda i: type(i).__name__,
)
def test_a_kind_that_the_backend_cannot_realise_is_said_so_and_the_next_is_tried(
    intervention: Intervention, demo: onnx.ModelProto, tmp_path: Path
) -> None:
    backend = KeepingBackend()
    fixes = diagnose(opened(demo, tmp_path, backend, Proposes((intervention,)))).fixes
    assert [f.verified for f in fixes] == [False, True]
    assert fixes[0].untestable
    assert fixes[0].reason == f"keeping cannot realise {type(intervention).__name__}"
    assert fixes[0].builds_passed == (0, 0)
    assert not any(intervention in r.interventions for r in backend.requests)


@pytest.mark.parametrize(
    ("interventions", "reason"),
    [
        ((PinPrecision(("nowhere",)),), "nowhere"),
        ((MarkOutputs(("norm_div",)),), "no such kernel"),
        ((ForcePrecision("bf16"), PinPrecision(NORM)), "no such kernel"),
    ],
    ids=lambda i: type(i[0]).__name__ if isinstance(i, tuple) else None,
)
def test_one_that_cannot_be_built_is_untestable_and_the_next_is_tried(
    interventions: tuple[Intervention, ...], reason: str, demo: onnx.ModelProto, tmp_path: Path
) -> None:
    def refuse(request: BuildRequest) -> None:
        if {ForcePrecision("bf16"), MarkOutputs(("norm_div",))}.intersection(request.interventions):
            raise BuildFailure("there is no such kernel.")

    first, second = diagnose(
        opened(demo, tmp_path, KeepingBackend(on_build=refuse), Proposes(interventions))
    ).fixes
    assert (first.verified, first.untestable, first.builds_passed) == (False, True, (0, 1))
    assert reason in first.reason
    assert second.verified


def test_a_rewritten_model_that_is_not_there_is_untestable(demo: onnx.ModelProto, tmp_path: Path) -> None:
    lost = Proposes((ReplaceGraph(str(tmp_path / "lost.onnx"), "00"),))
    first, second = diagnose(opened(demo, tmp_path, KeepingBackend(), lost)).fixes
    assert (first.verified, first.untestable, first.builds_passed) == (False, True, (0, 0))
    assert "lost.onnx" in first.reason
    assert second.verified


def test_one_that_does_not_help_is_no_fix_and_not_untestable(demo: onnx.ModelProto, tmp_path: Path) -> None:
    useless = Proposes((PinPrecision(("fc1_relu",)),))
    first, second = diagnose(opened(demo, tmp_path, KeepingBackend(), useless)).fixes
    assert (first.verified, first.untestable, first.builds_passed) == (False, False, (0, 1))
    assert "relative RMS error" in first.reason
    assert second.verified


# samples ---------------------------------------------------------------------------------------------------------


def test_a_fix_that_holds_on_one_sample_only_is_not_verified(tmp_path: Path) -> None:
    """a * a overflows in the first sample, b * b in the second."""
    model = model_of(
        [
            node("Mul", ["a", "a"], ["aa"], "square_a"),
            node("Mul", ["b", "b"], ["bb"], "square_b"),
            node("Sqrt", ["aa"], ["sa"], "sqrt_a"),
            node("Sqrt", ["bb"], ["sb"], "sqrt_b"),
            node("Add", ["sa", "sb"], ["y"], "sum"),
        ],
        [value("a", [4]), value("b", [4])],
        [value("y", [4])],
    )
    small, large = np.linspace(1, 2, 4, dtype=np.float32), np.linspace(600, 700, 4, dtype=np.float32)
    for number, (a, b) in enumerate([(large, small), (small, large)]):
        folder = tmp_path / "inputs" / str(number)
        folder.mkdir(parents=True)
        np.save(folder / "a.npy", a)
        np.save(folder / "b.npy", b)

    def fixes_of(samples: str):
        half = Proposes((PinPrecision(("square_a", "sqrt_a")),))
        folder = tmp_path / f"of-{samples.replace('/', '-')}"
        folder.mkdir()
        return diagnose(opened(model, folder, KeepingBackend(), half, inputs=tmp_path / samples)).fixes

    [alone] = fixes_of("inputs/0")
    assert alone.verified  # where the first sample is all there is
    half, whole = fixes_of("inputs")
    assert (half.verified, half.builds_passed) == (False, (0, 1))
    assert "Inf" in half.reason or "nonfinite" in half.reason
    assert whole.verified
    assert {"square_a", "square_b"} <= {n for i in whole.interventions for n in i.nodes}  # type: ignore[union-attr]


# latency ---------------------------------------------------------------------------------------------------------


def test_latencies_with_the_fix_without_it_and_in_fp32_come_of_one_run(
    demo: onnx.ModelProto, tmp_path: Path
) -> None:
    backend = KeepingBackend(milliseconds=by_pins(fp32=4.0, plain=2.0, some=2.1, more=9.0))
    ctx = opened(demo, tmp_path, backend)
    [fix] = diagnose(ctx).fixes
    assert fix.interventions == (PinPrecision(NEEDED),)
    assert (fix.verified, fix.builds_passed) == (True, (2, 2))
    assert fix.latency_ms == Latency(natural=2.0, fixed=2.1, fp32=4.0)
    assert fix.latency_ratio == pytest.approx(1.05)
    assert len(backend.loaded) == len(set(backend.loaded)) == 3
    # as the user builds, the short way, twice with the fix, once in FP32
    assert len(backend.requests) == ctx.session.counts.builds == 5
    assert not list(ctx.session.folder.rglob("*.plan"))  # engines are large


@pytest.mark.parametrize(("workers", "rounds"), [(1, 5), (2, 4), (4, 3)])
def test_workers_to_spare_build_in_fp32_beside_the_fix(
    workers: int, rounds: int, demo: onnx.ModelProto, tmp_path: Path
) -> None:
    backend = KeepingBackend(milliseconds=by_pins(fp32=4.0, plain=2.0, some=2.1, more=9.0))
    ctx = opened(demo, tmp_path, backend)
    session = with_workers(ctx, workers)
    [fix] = diagnose(ctx).fixes
    assert (fix.verified, fix.builds_passed) == (True, (2, 2))
    assert fix.latency_ms == Latency(natural=2.0, fixed=2.1, fp32=4.0)
    assert (session.rounds, session.counts.builds) == (rounds, 5)


def test_a_build_in_fp32_that_fails_leaves_its_latency_unknown(demo: onnx.ModelProto, tmp_path: Path) -> None:
    def refuse(request: BuildRequest) -> None:
        if request.options.precision == "fp32":
            raise BuildFailure("no kernel for FP32.")

    backend = KeepingBackend(milliseconds=by_pins(4.0, 2.0, 2.1, 9.0), on_build=refuse)
    [fix] = diagnose(opened(demo, tmp_path, backend)).fixes
    assert fix.verified
    assert fix.latency_ms == Latency(natural=2.0, fixed=2.1, fp32=None)


def test_what_was_not_built_has_no_latency(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend(milliseconds=by_pins(4.0, 2.0, 3.0, 9.0))
    [fix] = diagnose(opened(demo, tmp_path, backend, builds=0)).fixes
    assert fix.latency_ms == Latency(natural=None, fixed=3.0, fp32=4.0)
    assert fix.latency_ratio is None


def test_nothing_is_timed_on_the_emulator(demo: onnx.ModelProto, tmp_path: Path) -> None:
    [fix] = diagnose(opened(demo, tmp_path, KeepingBackend(), candidate="emulator")).fixes
    assert (fix.verified, fix.latency_ms, fix.latency_ratio) == (True, None, None)


def test_a_slow_fix_gets_an_alternative_that_keeps_the_norm_whole(
    demo: onnx.ModelProto, tmp_path: Path
) -> None:
    backend = KeepingBackend(milliseconds=by_pins(fp32=4.0, plain=2.0, some=3.0, more=2.5))
    ctx = opened(demo, tmp_path, backend)
    fewest, whole = diagnose(ctx).fixes
    assert fewest.interventions == (PinPrecision(NEEDED),)
    assert whole.interventions == (PinPrecision(NORM),)
    assert [f.verified for f in (fewest, whole)] == [True, True]
    assert [f.latency_ms for f in (fewest, whole)] == [Latency(2.0, 3.0, 4.0), Latency(2.0, 2.5, 4.0)]
    assert whole.summary.startswith("pin 9 nodes to FP32 (whole blocks around 4 of them): norm_mean")
    assert ctx.session.counts.builds == 5 + 2


def test_one_that_is_no_faster_is_built_once_and_told(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend(milliseconds=by_pins(fp32=4.0, plain=2.0, some=3.0, more=3.5))
    ctx = opened(demo, tmp_path, backend)
    whole, fewest = diagnose(ctx).fixes
    assert (fewest.interventions, fewest.verified) == ((PinPrecision(NEEDED),), True)
    assert (whole.verified, whole.builds_passed) == (False, (1, 1))
    assert whole.reason == "it passes, but is no faster than fewer pins: not built again"
    assert whole.latency_ms == Latency(2.0, 3.5, 4.0)
    assert ctx.session.counts.builds == 5 + 1


def test_an_alternative_that_cannot_be_built_leaves_the_fix(demo: onnx.ModelProto, tmp_path: Path) -> None:
    def refuse(request: BuildRequest) -> None:
        if pinned(request) == NORM and not is_forced(request):
            raise BuildFailure("no such fusion.")

    backend = KeepingBackend(milliseconds=by_pins(4.0, 2.0, 3.0, 2.5), on_build=refuse)
    other, fewest = diagnose(opened(demo, tmp_path, backend)).fixes
    assert (other.untestable, other.reason) == (True, "no such fusion.")
    assert (fewest.verified, fewest.latency_ms) == (True, Latency(2.0, 3.0, 4.0))


def test_a_finished_session_times_nothing_again(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend(milliseconds=by_pins(4.0, 2.0, 3.0, 2.5))
    ctx = opened(demo, tmp_path, backend)
    once = diagnose(ctx).fixes
    built, loaded = len(backend.requests), len(backend.loaded)
    assert diagnose(ctx).fixes == once
    assert (len(backend.requests), len(backend.loaded)) == (built, loaded)
