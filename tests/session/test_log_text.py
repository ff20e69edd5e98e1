"""A log is read as it was written, whatever the names in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.core.errors import UserError
from trtdebug.session.log_text import log_text, read_log
from trtdebug.session.session import Session
from trtdebug.session.skips import Skips, store_skips

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    nodes=st.lists(TEXT, unique=True, max_size=4),
    reason=TEXT,
    statuses=st.lists(st.integers(0, 2), max_size=5),
)
def test_verdicts_and_nodes_come_back(
    nodes: list[str], reason: str, statuses: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    session = Session(folder)
    for number, status in enumerate(statuses):
        told = ("pass", "fail", "untestable")[status]
        trial = f"{number:016x}" * 4
        session.journal.write("trial_started", trial=trial, purpose=reason)
        session.journal.write(
            "trial_finished", trial=trial, purpose=reason, status=told, reason=reason, seconds=0.0
        )
    store_skips(folder, Skips(nodes=tuple(nodes)))
    text = log_text(session)
    assert all(line.isprintable() for line in text.split("\n"))
    (folder / "log").write_text(text, encoding="utf-8")
    log = read_log(folder / "log")
    assert log.session == folder
    assert log.nodes == tuple(nodes)
    words = ("pass", "fail", "skip")
    assert log.verdicts == {f"{n:016x}": words[status] for n, status in enumerate(statuses)}


def test_of_a_trial_that_was_done_again_the_last_verdict_counts(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for status in ("untestable", "fail"):
        session.journal.write(
            "trial_finished", trial="ab" * 32, purpose="p", status=status, reason="", seconds=0.0
        )
    (tmp_path / "log").write_text(log_text(session))
    assert read_log(tmp_path / "log").verdicts == {"ab" * 8: "fail"}


def test_a_skipped_trial_is_written_as_one(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.journal.write(
        "trial_finished", trial="ab" * 32, purpose="p", status="fail", reason="", seconds=0.0
    )
    store_skips(tmp_path, Skips(trials=("ab" * 32,)))
    (tmp_path / "log").write_text(log_text(session) + "\n# a comment\n\n")
    assert read_log(tmp_path / "log").verdicts == {"ab" * 8: "skip"}


def test_a_comment_may_follow_anything(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        f'session "a b" # where\nskip-node "x\\u2028" # why\nskip-node y # why\nfail {"ab" * 8} # since when\n'
    )
    log = read_log(tmp_path / "log")
    assert (log.session, log.nodes) == (Path("a b"), ("x\u2028", "y"))
    assert log.verdicts == {"ab" * 8: "fail"}


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b'session .\nskip-node "open', b"session . more", b"session .\nfail"]
)
def test_what_is_no_log_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(UserError, match="log"):
        read_log(tmp_path / "log")
