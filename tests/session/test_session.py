"""The session's folder: what was finished is never done again; what was cut off is."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diagnoses import CASE
from fake_backend import FakeBackend, job, store_samples

from trtdebug.core.errors import UserError
from trtdebug.core.intervention import PinPrecision
from trtdebug.core.jsonable import loads
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.executor import InProcess
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.session import Session, create_folder, list_sessions, session_folder

X = np.array([1, 2, 3], np.float32)


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.fixture
def session(tmp_path, backend):
    store_samples(tmp_path, {"0": {"x": X, "y": X + 1}})
    return Session(tmp_path, InProcess(tmp_path, {"fake": backend}))


def reopened(session):
    return Session(session.folder, session.executor)


def test_a_finished_trial_is_not_done_again(session, backend):
    first = session.run(job())
    assert session.run(job(purpose="another word for it", model="/elsewhere/model.onnx")) == first
    assert reopened(session).run(job()) == first
    assert len(backend.requests) == 1
    assert (session.counts.total, session.counts.builds, session.counts.cached) == (2, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"repeat": 1},
        {"fast": True},
        {"model_sha256": "ff"},
        {"inputs_sha256": "ff"},
        {"interventions": (PinPrecision(("a",)),)},
        {"outputs": ("y",)},
        {"keep": "all"},
    ],
)
def test_what_changes_the_result_is_another_trial(session, backend, change):
    session.run(job())
    session.run(job(**change))
    assert len(backend.requests) == 2
    assert session.counts.cached == 0


def test_a_trial_that_was_cut_off_is_done_again(session, backend):
    session.run(job())
    (session.trial_folder(job().sha256) / "outcome.json").unlink()
    reopened(session).run(job())
    assert len(backend.requests) == 2


def test_an_outcome_that_says_nothing_of_the_trial_is_not_the_last_one(session, backend):
    class Absent:
        def run(self, job):
            return Outcome("untestable", reason="not here", provisional=True)

    absent = Session(session.folder, Absent())
    assert [absent.run(job()).reason for _ in range(2)] == ["not here"] * 2
    assert session.run(job()).status == "pass"
    assert reopened(session).run(job()).status == "pass"
    assert len(backend.requests) == 1


def test_a_trial_that_found_the_disk_full_ends_it_and_is_done_again(session, backend):
    class Full:
        def run(self, job):
            return Outcome("untestable", Signature("disk"), "No space left on device", provisional=True)

        def close(self):
            pass

    with pytest.raises(OSError, match="No space left on device"):
        Session(session.folder, Full()).run(job())
    assert session.run(job()).status == "pass"
    assert len(backend.requests) == 1


def test_the_references_tensors_are_made_again_when_they_are_gone(session, backend):
    recording = job(expected=None, outputs=("y",), keep="all", record=True)
    session.run(recording)
    session.run(recording)
    assert len(backend.requests) == 1
    session.tensors.path("0", TensorRef("y")).unlink()
    session.run(recording)
    assert len(backend.requests) == 2
    assert session.tensors.has("0", TensorRef("y"))


def test_only_trials_of_the_candidate_are_counted(session):
    session.run(job(role="reference"))
    assert (session.counts.total, session.counts.builds) == (0, 0)


def test_a_trials_folder_tells_all(session):
    asked = job(interventions=(PinPrecision(("a",)),))
    outcome = session.run(asked)
    folder = session.trial_folder(asked.sha256)
    assert folder.parent.name == "trials"
    assert loads((folder / "trial.json").read_text(), Job) == asked
    assert loads((folder / "outcome.json").read_text(), Outcome) == outcome
    assert json.loads((folder / "engine.json").read_text())["backend"] == "fake"
    assert [e["event"] for e in session.journal.read()] == ["trial_started", "trial_finished"]
    assert {e["trial"] for e in session.journal.read()} == {asked.sha256}


def test_listeners_are_told_of_every_trial(session):
    told = []
    session.listeners.append(lambda job, outcome, cached: told.append((job, outcome.status, cached)))
    session.run(job())
    session.run(job())
    assert told == [(job(), "pass", False), (job(), "pass", True)]


def test_a_session_without_an_executor_is_for_reading(session):
    outcome = session.run(job())
    reading = Session(session.folder)
    assert reading.run(job()) == outcome
    with pytest.raises(UserError, match="reading only"):
        reading.run(job(repeat=1))


def test_the_case_comes_back(session):
    session.store_case(CASE)
    assert reopened(session).case() == CASE


def test_a_folder_that_is_no_session_is_said(tmp_path):
    with pytest.raises(UserError, match="is not a session"):
        Session(tmp_path).case()
    with pytest.raises(UserError, match="there is no such folder"):
        Session(tmp_path / "nowhere").case()
    (tmp_path / "case.json").write_text("{ cut off")
    with pytest.raises(UserError, match=r"case\.json cannot be read"):
        Session(tmp_path).case()
    (tmp_path / "case.json").write_text("[]")
    with pytest.raises(UserError, match=r"it holds list, not an object"):
        Session(tmp_path).case()
    (tmp_path / "case.json").write_text("{}")
    with pytest.raises(UserError, match=r"required field missing @ \$\..* more\)"):
        Session(tmp_path).case()


def test_folders_have_names_of_their_own(tmp_path):
    root, model = tmp_path / "sessions", Path("a b/größe.onnx")
    with session_folder(None, model, root) as first, session_folder(None, model, root) as second:
        assert first.parent == second.parent == root
        assert first.name.isascii()
        assert first != second
        create_folder(first)
        (first / "case.json").write_text("{}")
    assert list(root.iterdir()) == [first]


def test_a_new_folder_goes_again_where_nothing_came_of_it(tmp_path):
    with suppress(UserError), session_folder(None, Path("m.onnx"), tmp_path / "sessions") as folder:
        assert folder.is_dir()
        raise UserError("bad input")
    assert list(tmp_path.iterdir()) == []
    with session_folder(tmp_path / "given", Path("m.onnx")) as folder:
        assert folder == tmp_path / "given"
    assert list(tmp_path.iterdir()) == []


def test_sessions_are_listed_newest_first(tmp_path):
    assert list_sessions(tmp_path / "nowhere") == []
    for name in ("20260101-000000-a", "20260102-000000-b"):
        Session(tmp_path / name).store_case(CASE)
    create_folder(tmp_path / "no-session")
    assert [p.name for p in list_sessions(tmp_path)] == ["20260102-000000-b", "20260101-000000-a"]


def test_the_newest_is_the_one_begun_last_whatever_they_are_called(tmp_path):
    for name, text in {
        "received": '{"time": "2026-01-01T00:00:00.000+00:00", "event": "opened"}',
        "20260102-000000-b": '{"time": "2026-01-02T00:00:00.000+00:00", "event": "opened"}',
        "damaged": '{"event": "opened"}',
        "cut-off-before-its-journal": "",
    }.items():
        Session(tmp_path / name).store_case(CASE)
        (tmp_path / name / "journal.jsonl").write_text(text)
    os.utime(tmp_path / "damaged" / "case.json", (0, 0))
    assert [p.name for p in list_sessions(tmp_path)] == [
        "cut-off-before-its-journal",
        "20260102-000000-b",
        "received",
        "damaged",
    ]


def test_a_folder_that_can_not_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        create_folder(tmp_path / "file" / "session")
    (tmp_path / "dangling").symlink_to("nowhere")
    for root in ("file", "dangling"):
        with (
            pytest.raises(UserError, match="cannot be written"),
            session_folder(None, Path("m.onnx"), tmp_path / root),
        ):
            pass


def test_the_hash_of_a_job_survives_its_file(session):
    asked = replace(job(), interventions=(PinPrecision(("größe",)),))
    session.run(asked)
    stored = session.trial_folder(asked.sha256) / "trial.json"
    assert loads(stored.read_text(encoding="utf-8"), Job).sha256 == asked.sha256
