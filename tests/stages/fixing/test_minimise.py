"""Needless pins are left out, by as few builds as it takes."""

from __future__ import annotations

import importlib
from pathlib import Path

import onnx
import pytest
from keeping_backend import KeepingBackend, diagnose, opened
from several_workers import with_workers
from slow_backend import redundant

from trtdebug.backends.base import BuildRequest
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.core.outcome import Signature
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.stages.context import Context
from trtdebug.stages.fixing.fix import fix
from trtdebug.stages.fixing.minimise import MAX_TRIALS, MinimalPins, minimal_pins
from trtdebug.stages.localising.localise import Located

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
NEEDED = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")
NORM = ("norm_mean", "norm_centre", *NEEDED, "norm_div", "norm_mul", "norm_add")
SIGNATURE = Signature("mismatch", ("logits",))


def sample(name: str, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    monkeypatch.syspath_prepend(str(SAMPLES))
    return importlib.import_module(name).build()


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    return sample("layernorm_overflow", monkeypatch)


def reference_recorded(ctx: Context) -> Context:
    ctx.record()
    return ctx


def test_what_is_not_needed_goes(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend()
    ctx = reference_recorded(opened(demo, tmp_path, backend))
    found = minimal_pins(ctx, SIGNATURE, Located((), tuple(n for n in ctx.items if n in NORM)))
    assert found == MinimalPins(NEEDED)
    assert len(backend.requests) < 2 * len(NORM)
    for request in backend.requests:
        pins = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        assert ForcePrecision("fp16") in request.interventions
        assert pins < set(NORM)


def test_every_pin_that_stays_is_needed_when_tested_by_itself(demo: onnx.ModelProto, tmp_path: Path) -> None:
    ctx = reference_recorded(opened(demo, tmp_path, KeepingBackend()))
    found = minimal_pins(ctx, SIGNATURE, Located((), NORM))
    assert found is not None
    assert ctx.session.run(ctx.low_job(set(ctx.items) - set(found.pins), False)).status == "pass"
    for pin in found.pins:
        others = set(found.pins) - {pin}
        assert ctx.session.run(ctx.low_job(set(ctx.items) - others, False)).status == "fail", pin


def test_what_fails_alone_needs_no_build(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend()
    ctx = reference_recorded(opened(demo, tmp_path, backend))
    located = Located((), NEEDED, alone=frozenset(NEEDED))
    assert minimal_pins(ctx, SIGNATURE, located) == MinimalPins(NEEDED)
    assert backend.requests == []


def test_several_workers_leave_the_same_pins_in_fewer_rounds(tmp_path: Path) -> None:
    """Of each pair either node could be pinned."""
    rounds, found = {}, {}
    for workers in (1, 4):
        folder = tmp_path / str(workers)
        folder.mkdir()
        ctx = reference_recorded(opened(redundant(5, 3)[0], folder, KeepingBackend()))
        session = with_workers(ctx, workers)
        found[workers] = minimal_pins(ctx, SIGNATURE, Located((), ctx.items))
        rounds[workers] = session.rounds
        assert session.counts.builds <= workers * session.rounds
        assert workers > 1 or session.counts.builds == session.rounds
    assert found[1] == found[4] == MinimalPins(("b2_right", "b3_right", "b4_right"))
    assert rounds[4] <= 0.5 * rounds[1], rounds


def test_no_pins_is_no_question(demo: onnx.ModelProto, tmp_path: Path) -> None:
    ctx = opened(demo, tmp_path, KeepingBackend())
    assert minimal_pins(ctx, SIGNATURE, Located((), None)) is None


def test_a_pin_that_cannot_be_tested_stays_and_is_told(demo: onnx.ModelProto, tmp_path: Path) -> None:
    def refuse(request: BuildRequest) -> None:
        pins = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        if pins and "norm_add" not in pins:
            raise BuildFailure("Could not find any implementation for node {ForeignNode[a...z]}.")

    ctx = reference_recorded(opened(demo, tmp_path, KeepingBackend(on_build=refuse)))
    located = Located((), (*NEEDED, "norm_add"), alone=frozenset(NEEDED))
    assert minimal_pins(ctx, SIGNATURE, located) == MinimalPins((*NEEDED, "norm_add"), ("norm_add",))


def test_no_more_builds_than_it_is_worth(demo: onnx.ModelProto, tmp_path: Path) -> None:
    def refuse(request: BuildRequest) -> None:
        raise BuildFailure("not today.")

    backend = KeepingBackend(on_build=refuse)
    ctx = reference_recorded(opened(demo, tmp_path, backend))
    found = minimal_pins(ctx, SIGNATURE, Located((), ctx.items[:-1]))
    assert found == MinimalPins(ctx.items[:-1], ctx.items[:-1])
    assert len(backend.requests) <= MAX_TRIALS


def test_of_two_nodes_that_fail_only_together_one_is_pinned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = sample("interacting_pair", monkeypatch)
    found = diagnose(opened(model, tmp_path, KeepingBackend()))
    [pair] = [c for c in found.culprits if len(c.nodes) == 2]
    [fix] = found.fixes
    assert fix.verified
    [pins] = fix.interventions
    assert isinstance(pins, PinPrecision)
    assert len(pins.nodes) == 1
    assert set(pins.nodes) < set(pair.nodes)


def test_where_fewer_pins_fail_as_the_user_builds_all_of_them_are_tried(
    demo: onnx.ModelProto, tmp_path: Path
) -> None:
    """Forced, four pins pass; the builder, left to itself, wants more."""

    def moody(request: BuildRequest) -> None:
        pins = [n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes]
        if len(pins) == len(NEEDED) and ForcePrecision("fp16") not in request.interventions:
            raise BuildFailure("not with four of them.")

    only_pins = frozenset({"PinPrecision", "ForcePrecision"})
    ctx = reference_recorded(opened(demo, tmp_path, KeepingBackend(on_build=moody, realises=only_pins)))
    culprits = tuple(Culprit((n,), "precision", "fails alone") for n in NEEDED)
    pins = (*NEEDED, "norm_div")
    located = Located(culprits, pins, alone=frozenset(NEEDED))
    few, *_, all_of_them = fix(ctx, SIGNATURE, located, (), (), 2)
    assert (few.verified, few.reason) == (False, "not with four of them.")
    assert few.interventions == (PinPrecision(NEEDED),)
    assert (all_of_them.verified, all_of_them.interventions) == (True, (PinPrecision(pins),))
    without = [name for name in BUILTINS if name != "trtdebug.fixes"]  # -p no:fixes: nobody proposes pins
    ctx.plugins = PluginManager.load(
        builtins=[*without, KeepingBackend(realises=only_pins)], third_party=False
    )
    assert not [f for f in fix(ctx, SIGNATURE, located, (), (), 2) if f.kind == "pin"]
