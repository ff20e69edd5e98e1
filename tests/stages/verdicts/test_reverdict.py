"""Other tolerances on a stored session: the verdict changes, and nothing runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from cases import diagnose, open_case
from seed_models import mnist, model_of, node, value, weight

from trtdebug.core.case import OutputTolerance, Tolerance
from trtdebug.core.errors import UserError
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.verdicts.reverdict import reverdict


@pytest.fixture
def healthy(tmp_path: Path) -> Context:
    """A finished FP16 session that matches: relative RMS errors of some 1e-4."""
    w = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    model = model_of(
        [node("MatMul", ["x", "w"], ["h"], "mm"), node("Tanh", ["h"], ["y"], "tanh")],
        [value("x", [4, 16])],
        [value("y", [4, 16])],
        [weight("w", w)],
    )
    ctx = open_case(model, tmp_path, "fp16")
    assert diagnose(ctx).verdict == "matches"
    return ctx


def again(ctx: Context, **tolerance: object):  # type: ignore[no-untyped-def]
    """Read-only: no executor."""
    return reverdict(Session(ctx.session.folder), Tolerance(**tolerance), ctx.plugins)  # type: ignore[arg-type]


def test_without_other_tolerances_the_verdict_stays(healthy: Context) -> None:
    result = again(healthy)
    assert (result.before, result.verdict) == ("matches", "matches")
    assert [t.job.purpose for t in result.trials] == ["as built", "as built", "forced"]


def test_a_tight_tolerance_turns_it_over(healthy: Context) -> None:
    result = again(healthy, rms_rel=1e-7)
    assert (result.before, result.verdict) == ("matches", "diverges")
    assert result.signature is not None
    assert result.signature.outputs == ("y",)
    assert "breaks ||c - r|| / ||r|| <= 1e-07" in result.reason


def test_the_element_rule_is_judged_from_the_stored_tensors(healthy: Context) -> None:
    assert again(healthy, atol=1e-2).verdict == "matches"
    strict = again(healthy, atol=1e-9, rtol=1e-9)
    assert strict.verdict == "diverges"
    assert "elements break |c - r| <= 1e-09 + 1e-09 * |r|" in strict.reason


def test_without_the_tensors_it_says_what_it_does_not_know(healthy: Context) -> None:
    trial = again(healthy).trials[0]
    for t in again(healthy).trials:
        shutil.rmtree(healthy.session.folder / "tensors" / t.job.sha256[:16])
    [error] = trial.after.tensors
    between = error.max_abs * 0.9
    result = again(healthy, atol=between, rtol=0.5)
    assert result.verdict == "untestable"
    assert "was not kept" in result.reason
    assert again(healthy, rms_rel=1e-7).verdict == "diverges"
    assert again(healthy, atol=2 * error.max_abs).verdict == "matches"


def test_one_output_by_name(healthy: Context) -> None:
    assert again(healthy, outputs={"y": OutputTolerance(rms_rel=0.0)}).verdict == "diverges"
    with pytest.raises(UserError, match="'z', which is no output"):
        again(healthy, outputs={"z": OutputTolerance(atol=1.0)})


def test_it_writes_and_runs_nothing(healthy: Context) -> None:
    folder = healthy.session.folder
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    again(healthy, rtol=1e-9)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_a_session_without_trials(tmp_path: Path) -> None:
    ctx = open_case(mnist(), tmp_path, "fp16")
    with pytest.raises(UserError, match="no finished trial"):
        again(ctx)


def test_ties_of_an_index_output_stay_a_pass(tmp_path: Path) -> None:
    """Two columns differ by 1e-5: FP16 can't tell them apart, and which one is chosen does not matter."""
    w = np.zeros((4, 3), np.float32)
    w[:, 1], w[:, 2] = 1.0, 1.00001
    model = model_of(
        [node("MatMul", ["x", "w"], ["v"], "mm"), node("ArgMax", ["v"], ["i"], "argmax", axis=1, keepdims=0)],
        [value("x", [8, 4])],
        [value("i", [8], 7)],
        [weight("w", w)],
    )
    ctx = open_case(model, tmp_path, "fp16", ranges=("[0.1,1]",))
    assert diagnose(ctx).verdict == "matches"
    result = again(ctx)
    assert "8 of 8 choices differ" in result.trials[0].after.tensors[0].rule
    assert again(ctx, rtol=1e-7).verdict == "diverges"


def test_a_borderline_outcome_is_decided_by_an_element_rule(tmp_path: Path) -> None:
    """One element of 2e6 hides 63 lost ones: unknown, exit code 4, until a rule by element is given."""
    factor = np.full((4, 16), 1.0, np.float32)
    factor[0, 0] = 2e6
    kept = np.where(factor > 1, factor, 0).astype(np.float32)
    right, wrong = (
        model_of(
            [node("Mul", ["x", "f"], ["y"], "mul")],
            [value("x", [4, 16])],
            [value("y", [4, 16])],
            [weight("f", f)],
        )
        for f in (factor, kept)
    )
    ctx = open_case(right, tmp_path, against=wrong, ranges=("[0.5,1]",))
    diagnosis = diagnose(ctx)
    assert diagnosis.verdict == "untestable"
    assert "63 of 64 elements are off by half of themselves or more" in diagnosis.reason
    assert again(ctx, rtol=1e-3).verdict == "diverges"
