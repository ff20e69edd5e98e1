"""Switches that cure: one, several together, by chance, and what can't be tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from keeping_backend import KeepingBackend, opened
from miscompiling import Miscompiling, diagnose, influential
from miscompiling import opened as switched
from planted_graphs import planted_graph

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import Knob, MarkOutputs, PinPrecision
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixProposal, FixProposer
from trtdebug.stages.other_causes.axes import axes
from trtdebug.stages.repeated import Repeated, enough

SOURCE, LUCK, ROUTE = (
    Knob("tactic_sources", "-A"),
    Knob("preview_features", "-B"),
    Knob("build_route", "-c=d"),
)
TF32, LEVEL = Knob("tf32", "off"), Knob("optimization_level", "0")
ALL = (SOURCE, LUCK, ROUTE, TF32, LEVEL)


@pytest.fixture
def model() -> onnx.ModelProto:
    return planted_graph(3, 30, 0).model


def wrong(model: onnx.ModelProto) -> str:
    return influential(model)[len(influential(model)) // 2]


def knobs(diagnosis: Diagnosis) -> set[object]:
    """Of the verified fix."""
    [*_, fix] = diagnosis.fixes
    assert (fix.kind, fix.verified) == ("knob", True)
    return set(fix.interventions)


def only(*switches: Knob) -> frozenset[Knob]:
    return frozenset(switches)


def test_one_switch_cures_and_no_dearer_one_is_tried(model: onnx.ModelProto, tmp_path: Path) -> None:
    backend = Miscompiling(wrong(model), switches=ALL, cures=(only(ROUTE), only(LEVEL)))
    diagnosis = diagnose(model, backend, tmp_path)
    assert knobs(diagnosis) == {ROUTE}
    assert backend.builds[only(ROUTE)] >= 2
    assert backend.builds[only(TF32)] == backend.builds[only(LEVEL)] == 0
    assert "build_route=-c=d makes the difference" in diagnosis.culprits[0].evidence


def test_two_switches_cure_only_together(model: onnx.ModelProto, tmp_path: Path) -> None:
    backend = Miscompiling(wrong(model), switches=ALL, cures=(only(SOURCE, TF32),))
    assert knobs(diagnose(model, backend, tmp_path)) == {SOURCE, TF32}


def test_one_right_build_is_no_cure(model: onnx.ModelProto, tmp_path: Path) -> None:
    backend = Miscompiling(wrong(model), switches=ALL, lucky=LUCK, cures=(only(TF32),))
    diagnosis = diagnose(model, backend, tmp_path)
    assert knobs(diagnosis) == {TF32}
    [finding] = [f for f in diagnosis.findings if f.id == "cured-by-chance"]
    assert "preview_features=-B 1 of 2 builds passed" in finding.message


def test_what_does_not_build_is_no_cure_and_stands_in_nobodys_way(
    model: onnx.ModelProto, tmp_path: Path
) -> None:
    backend = Miscompiling(
        wrong(model), switches=ALL, cures=(only(SOURCE, LEVEL),), unbuilt=lambda _, on: ROUTE in on
    )
    assert knobs(diagnose(model, backend, tmp_path)) == {SOURCE, LEVEL}


@pytest.mark.parametrize(
    ("failed", "passed", "untestable", "needed"),
    [(2, 0, 0, 2), (2, 0, 3, 2), (1, 1, 0, 5), (2, 1, 0, 3), (1, 9, 0, 8), (0, 2, 0, 2)],
)
def test_the_rarer_a_failure_the_more_builds_have_to_pass(
    failed: int, passed: int, untestable: int, needed: int
) -> None:
    natural = [Outcome("fail")] * failed + [Outcome("pass")] * passed + [Outcome("untestable")] * untestable
    assert enough(natural, 2) == needed


def test_no_switch_cures(model: onnx.ModelProto, tmp_path: Path) -> None:
    backend = Miscompiling(wrong(model), switches=ALL)
    diagnosis = diagnose(model, backend, tmp_path)
    assert [f for f in diagnosis.fixes if f.kind == "knob"] == []
    assert [backend.builds[only(k)] for k in ALL] == [1] * len(ALL)
    assert backend.builds[only(*ALL)] == 1
    assert "makes the difference" not in diagnosis.culprits[0].evidence


def test_a_backend_without_switches_is_built_no_more_often(model: onnx.ModelProto, tmp_path: Path) -> None:
    backend = Miscompiling(wrong(model))
    assert diagnose(model, backend, tmp_path).verdict == "diverges"
    assert set(backend.builds) == {only()}


@pytest.mark.parametrize(
    ("cure", "alone", "crowd"), [(only(LEVEL), 6, 3), (only(SOURCE), 2, 2), (only(SOURCE, TF32), 13, 7)]
)
def test_four_workers_try_four_switches_at_once(
    cure: frozenset[Knob], alone: int, crowd: int, model: onnx.ModelProto, tmp_path: Path
) -> None:
    found, rounds = {}, {}
    for workers in (1, 4):
        folder = tmp_path / str(workers)
        folder.mkdir()
        ctx = switched(
            model, Miscompiling(wrong(model), switches=ALL, cures=(cure,)), folder, workers=workers
        )
        ctx.record()
        answer = axes(ctx, [Outcome("fail")], 2)
        found[workers] = answer.cure, [(t.interventions, t.verdict) for t in answer.tried]
        rounds[workers] = ctx.session.rounds  # type: ignore[attr-defined]
    assert set(found[1][0]) == cure
    assert found[4] == found[1]
    assert (rounds[1], rounds[4]) == (alone, crowd)


class Moody(Miscompiling):
    """Wrong in every other build; and with `LUCK`, which changes nothing, not before the fourth."""

    def build(self, request: BuildRequest) -> Engine:
        knobs = frozenset(i for i in request.interventions if isinstance(i, Knob))
        number = self.builds[knobs] + 1
        passes = number < 4 if LUCK in knobs else number % 2 == 0
        self.cures = (frozenset(),) if passes else ()
        return super().build(request)


class Luck:
    @hookimpl
    def trtdebug_fixes(self) -> list[FixProposer]:
        return [FixProposer("luck", "for tests", lambda _: [FixProposal("luck", "luck", (LUCK,), 0.0)])]


def test_a_fix_that_passes_by_chance_is_not_verified(model: onnx.ModelProto, tmp_path: Path) -> None:
    """Of the builds without it one fails and one passes: two that pass say nothing."""
    diagnosis = diagnose(model, Moody(wrong(model)), tmp_path, Luck())
    assert diagnosis.failed_builds == 1
    [fix] = diagnosis.fixes
    assert (fix.verified, fix.builds_passed) == (False, (3, 4))


def test_outputs_that_the_user_marks_stay_in_every_build(model: onnx.ModelProto, tmp_path: Path) -> None:
    """Marks change what is fused: a switch tried without them would be another case."""
    backend = KeepingBackend()
    ctx = opened(model, tmp_path, backend)
    ctx.record()
    marked, pin = influential(model)[0], PinPrecision((wrong(model),))
    [tensor] = ctx.index.node(marked).outputs
    ctx.case = replace(ctx.case, options=replace(ctx.case.options, marks=(tensor,)))
    Repeated(ctx, "axes", 2, lambda _: "a pin")((pin,))
    assert {r.interventions for r in backend.requests} == {(MarkOutputs((tensor,)), pin)}
