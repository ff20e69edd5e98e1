"""What of sessions may go, and what has to stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from trtdebug.session.files import write_text
from trtdebug.session.garbage import drop, garbage, size_of
from trtdebug.session.lock import locked
from trtdebug.session.session import Session


def session(root: Path, name: str, *events: str, days: float = 0.0) -> Path:
    folder = root / name
    for path, size in {
        "tensors/samples/x.npy": 10,
        "tensors/abcd/y.npy": 100,
        "work/piece.onnx": 1000,
    }.items():
        write_text(folder / path, "x" * size)
    write_text(folder / "trials" / "t" / "engine.plan", "x" * 10000)
    write_text(folder / "trials" / "t" / "outcome.json", "{}")
    for event in events:
        Session(folder).journal.write(event, verdict="matches")
    then = time.time() - days * 86400
    os.utime(folder / "journal.jsonl", (then, then))
    return folder


@pytest.fixture
def sessions(tmp_path: Path) -> list[Path]:
    """The newest first: one just done, an old one, and an older one that was interrupted."""
    return [
        session(tmp_path, "new", "opened", "finished"),
        session(tmp_path, "old", "opened", "finished", days=10),
        session(tmp_path, "cut", "opened", "finished", "opened", "interrupted", days=20),
    ]


def test_tensors_of_trials_scratch_and_engines_go_but_for_the_newest(sessions: list[Path]) -> None:
    found, _ = garbage(sessions, keep=1)
    assert [(g.session.name, g.bytes) for g in found] == [("old", 11100), ("cut", 11100)]
    gone, left = drop(found)
    assert (gone, left) == (found, ())
    assert garbage(sessions, keep=1) == ((), ())
    for folder in sessions[1:]:
        assert (folder / "tensors" / "samples" / "x.npy").exists()
        assert (folder / "trials" / "t" / "outcome.json").exists()


def test_what_a_killed_writer_left_goes_too(tmp_path: Path) -> None:
    folder = session(tmp_path, "killed", "opened")
    number = "0f" * 16
    left = (
        f".fix.{number}.tmp/mixed.onnx",
        f".fix.{number}.tmp/y.{number}.tmp",
        f".repro.{number}.old/m.onnx",
        f"trials/t/outcome.json.{number}.tmp",
    )
    kept = (
        "fix/mixed.onnx",
        "notes.tmp",
        ".notes.old",
        "trials/t/outcome.json",
    )  # some of them the user's own
    for name in (*left, *kept, f"tensors/abcd/y.npy.{number}.tmp"):
        write_text(folder / name, "x")
    drop(garbage([folder], keep=0)[0])
    assert not [name for name in left if (folder / name).exists()]
    assert all((folder / name).exists() for name in kept)
    assert garbage([folder], keep=0) == ((), ())


def test_by_age_and_as_a_whole_only_what_is_finished(sessions: list[Path]) -> None:
    assert [g.session.name for g in garbage(sessions, keep=0, days=5)[0]] == ["old", "cut"]
    whole, _ = garbage(sessions, keep=0, days=5, whole=True)
    assert [(g.session.name, g.bytes) for g in whole] == [("old", size_of(sessions[1]))]
    drop(whole)
    assert [p.exists() for p in sessions] == [True, False, True]


def test_one_whose_journal_is_damaged_stays_and_the_others_go(sessions: list[Path]) -> None:
    (sessions[0] / "journal.jsonl").write_text('{"event": "finished"}\n', encoding="utf-8")
    found, damaged = garbage(sessions, keep=0, whole=True)
    assert [g.session.name for g in found] == ["old"]
    assert [str(sessions[0] / "journal.jsonl") in error.message for error in damaged] == [True]


def test_a_session_in_use_is_left_alone(sessions: list[Path]) -> None:
    found, _ = garbage(sessions, keep=0)
    with locked(sessions[1]):
        gone, left = drop(found)
    assert [g.session.name for g in gone] == ["new", "cut"]
    assert len(left) == 1
    assert "is in use" in left[0]
    assert (sessions[1] / "work").exists()
