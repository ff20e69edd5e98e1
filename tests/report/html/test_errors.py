"""Which trial tells what of a tensor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import BanTactic, ForcePrecision, Intervention, MarkOutputs, PinPrecision
from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import EngineInfo, Outcome, TensorError
from trtdebug.oracle.tolerance import Limits
from trtdebug.report.html.engines import Engines
from trtdebug.report.html.errors import Errors
from trtdebug.report.html.trials import Trial, read_trials
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.journal import Journal

FORCED = ForcePrecision("fp16")
JOB = Job(
    purpose="as built",
    backend="tensorrt",
    model="m.onnx",
    model_sha256="the model",
    inputs_sha256="",
    samples=("s0",),
    options=BuildOptions(),
    limits=Limits(0.01),
    feeds={},
    expected={"y": TensorRef("y")},
)


def trial(folder: Path, job: Job, errors: Mapping[str, float]) -> Trial:
    """A finished trial in which these tensors have these errors; more than 0.01 fails."""
    found = tuple(TensorError(n, "fail" if e > 0.01 else "pass", rms_rel=e) for n, e in errors.items())
    status: Any = "fail" if any(e.status == "fail" for e in found) else "pass"
    place = folder / job.sha256
    place.mkdir(parents=True)
    (place / "trial.json").write_text(dumps(job))
    (place / "outcome.json").write_text(dumps(Outcome(status, tensors=found)))
    return Trial(place, job.purpose, status, "", 1.0, "", "sanity")


def errors_of(*trials: Trial) -> Errors:
    errors = Errors(frozenset(["the model"]))
    for one in trials:
        errors.add(one)
    return errors


def alone(*interventions: Intervention, **changes: Any) -> Job:
    expected = {"t__from__n": TensorRef("t"), "y": TensorRef("y")}
    return replace(JOB, model_sha256="another", interventions=interventions, expected=expected, **changes)


def test_nodes_alone_are_local_under_their_own_names(tmp_path: Path) -> None:
    found = errors_of(trial(tmp_path, alone(FORCED, isolated=True), {"t__from__n": 0.5, "y": 0.001}))
    assert {t: e.rms for t, e in found.local.items()} == {"t": 0.5}
    assert found.local["t"].kept_as[1] == "t__from__n"
    assert found.propagated == {}


def test_nodes_alone_beside_the_pinned_model_are_local_too(tmp_path: Path) -> None:
    found = errors_of(trial(tmp_path, alone(FORCED, PinPrecision(("n",))), {"t__from__n": 0.5, "y": 0.001}))
    assert set(found.local) == {"t"}


def test_what_the_emulator_foresees_is_told_apart(tmp_path: Path) -> None:
    job = alone(FORCED, isolated=True, role="reference", backend="emulator")
    found = errors_of(trial(tmp_path, job, {"t__from__n": 0.5}))
    assert (set(found.foreseen), found.local) == ({"t"}, {})


def test_copies_with_other_tactics_are_no_errors_of_the_node(tmp_path: Path) -> None:
    found = errors_of(trial(tmp_path, alone(BanTactic("n", "0x1")), {"t__from__n": 0.5}))
    assert found.local == {}


def test_marked_tensors_count_while_the_failure_is_there(tmp_path: Path) -> None:
    expected = {"y": TensorRef("y"), "t": TensorRef("t")}
    marked = replace(JOB, outputs=("y", "t"), expected=expected)
    cured = replace(marked, interventions=(MarkOutputs(("t",)),))
    gone = errors_of(trial(tmp_path / "a", cured, {"y": 0.001, "t": 0.002}))
    there = errors_of(trial(tmp_path / "b", marked, {"y": 0.9, "t": 0.002}))
    assert gone.propagated == {}
    assert {t: e.status for t, e in there.propagated.items()} == {"y": "fail", "t": "pass"}


def test_a_pinned_build_tells_nothing_of_the_candidate(tmp_path: Path) -> None:
    job = replace(JOB, interventions=(FORCED, PinPrecision(("n",))))
    assert errors_of(trial(tmp_path, job, {"y": 0.5})).propagated == {}


def test_of_flaky_builds_the_wrong_one_is_shown(tmp_path: Path) -> None:
    builds = [trial(tmp_path, replace(JOB, repeat=n), {"y": e}) for n, e in enumerate((0.001, 0.9, 0.8))]
    for number, build in enumerate(builds):
        (build.folder / "engine.json").write_text(dumps(EngineInfo("tensorrt", f"build {number}")))
    assert errors_of(*builds).propagated["y"].rms == 0.9
    engines = Engines({})
    for build in builds:
        engines.add(build)
    assert [view.backend for view in engines.views] == ["tensorrt build 1"]


@pytest.mark.parametrize(("limits", "limit"), [(Limits(0.08), 0.08), (Limits(0.01, atol=1e-3), None)])
def test_the_limit_is_that_of_the_rule(tmp_path: Path, limits: Limits, limit: float | None) -> None:
    assert errors_of(trial(tmp_path, replace(JOB, limits=limits), {"y": 0.5})).limit == limit


def test_trials_are_read_in_order_each_once_and_with_their_stage(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    done = trial(tmp_path / "trials", JOB, {"y": 0.5})
    finished = {"purpose": "as built", "status": "fail", "reason": "", "seconds": 1.5}
    journal.write("stage_started", stage="sanity")
    journal.write("trial_finished", trial=done.sha256, **finished)
    journal.write("stage_started", stage="fix")
    journal.write("trial_finished", trial=done.sha256, **finished)
    journal.write("trial_finished", trial="removed", **finished)
    [read] = read_trials(tmp_path)
    assert (read.stage, read.status, read.seconds, read.engine) == ("sanity", "fail", 1.5, None)
    assert json.loads(dumps(read.job))["purpose"] == "as built"
