"""What two sessions say differently, engine layers among it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from diagnoses import plain
from fake_backend import FakeBackend, job, store_samples

from trtdebug.core.case import BuildOptions, Case, Tolerance
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.report.build import build_report
from trtdebug.report.session_diff import SessionDiff, diff_sessions
from trtdebug.report.session_facts import session_facts
from trtdebug.report.session_text import render_session, render_session_diff, size_text
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session

CASE = Case("/m.onnx", "ab", 2, BuildOptions("fp16"), Tolerance(), "onnxruntime", "fake", ("0",), "11")
FUSED = (LayerInfo("conv + relu", ("conv", "relu"), "fp16", tactic="0x1"),)
APART = (LayerInfo("conv", ("conv",), "fp32"), LayerInfo("relu", ("relu",), "fp16"))


def session(folder: Path, version: str, wrong: float, layers: tuple[LayerInfo, ...], verdict: str) -> Path:
    """Of a version whose y is off by so much."""
    store_samples(folder, {"0": {"x": [1.0], "y": [2.0]}})
    backend = FakeBackend(
        lambda feeds: {"y": feeds["x"] + 1 + wrong}, EngineInfo("fake", version, layers=layers)
    )
    made = Session(folder, InProcess(folder, {"fake": backend}))
    made.store_case(CASE)
    made.journal.write("opened")
    made.run(job(purpose="as built", version=version))
    made.journal.write("finished", verdict=verdict)
    return folder


@pytest.fixture
def diff(tmp_path: Path) -> SessionDiff:
    first = session(tmp_path / "a", "8.6", 0.0, FUSED, "matches")
    second = session(tmp_path / "b", "10.3", 1.0, APART, "diverges")
    return diff_sessions(session_facts(first), session_facts(second))


def test_marks_at_fault_are_told_by_name(tmp_path: Path) -> None:
    marks = Culprit(("writes_a",), "build", "", tensors=("mark_a",))
    report = build_report(CASE, replace(plain("untestable"), culprits=(marks,)))
    facts = session_facts(session(tmp_path / "a", "8.6", 0.0, FUSED, "matches"))
    before = replace(facts, report=build_report(CASE, plain("matches")))
    after = replace(facts, report=report, verdict="untestable")
    assert "\ncause      mark_a\n" in render_session(after)
    assert "\na new culprit: mark_a\n" in render_session_diff(diff_sessions(before, after))


def test_what_a_session_did_not_come_to_say_is_not_said_to_be_gone(tmp_path: Path) -> None:
    """One that was cut off has no report; in one that is untestable nothing could be looked for."""
    facts = session_facts(session(tmp_path / "a", "8.6", 0.0, FUSED, "diverges"))
    culprits = (Culprit(("conv", "relu"), "precision", ""), Culprit(("exp",), "precision", ""))
    found = replace(facts, report=build_report(CASE, replace(plain("diverges"), culprits=culprits)))
    cut_off = replace(facts, verdict=None, report=None)
    untestable = replace(
        facts, verdict="untestable", report=build_report(CASE, replace(plain("untestable"), signature=None))
    )
    for other in (cut_off, untestable):
        diff = diff_sessions(found, other)
        told = {c.what: c.second for c in diff.changes}
        assert (told["culprits"], told["failure"]) == ("not known", "not known")
        text = render_session_diff(diff)
        assert "culprits: conv, relu; exp -> not known\n" in text
        assert "any more" not in text
        assert "culprits: not known -> conv, relu; exp\n" in render_session_diff(diff_sessions(other, found))


def test_versions_verdict_errors_and_layers(diff: SessionDiff) -> None:
    assert diff.verdict_changed
    changed = {c.what: (c.first, c.second) for c in diff.changes}
    assert changed == {"candidate": ("fake 8.6", "fake 10.3"), "verdict": ("matches", "diverges")}
    [error] = diff.errors
    assert (error.tensor, error.purpose, error.grew) == ("y", "as built", float("inf"))
    assert diff.engine is not None
    assert [d.differs for d in diff.engine.differences] == [("fusion", "precision")]
    text = render_session_diff(diff)
    assert "verdict: matches -> diverges" in text
    assert "fusion, precision: conv, relu" in text


def test_the_same_session_differs_in_nothing(tmp_path: Path) -> None:
    facts = session_facts(session(tmp_path / "a", "8.6", 0.5, FUSED, "diverges"))
    same = diff_sessions(facts, facts)
    assert (same.changes, same.errors, same.same_errors) == ((), (), 1)
    assert render_session_diff(same).startswith("the verdict is the same\nerrors: 1 compared, all alike\n")


def test_sizes_in_words() -> None:
    assert [size_text(n) for n in (0, 1023, 1024, 1536, 5 << 20, 3 << 40)] == [
        *("0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 TiB")
    ]
