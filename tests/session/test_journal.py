"""The journal survives a kill at any instant."""

from __future__ import annotations

import json
import os

import pytest

from trtdebug.core.errors import UserError
from trtdebug.session.journal import Journal


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def events(journal):
    return [e["event"] for e in journal.read()]


def test_a_journal_that_is_not_there_is_empty(journal):
    assert list(journal.read()) == []


def test_one_line_an_event_in_order(journal):
    journal.write("one", trial="00", reason="line 1\nline 2")
    journal.write("two", name="größer ☃")
    lines = journal.path.read_text().splitlines()
    assert len(lines) == 2
    assert [json.loads(line) for line in lines] == list(journal.read())
    assert next(journal.read())["reason"] == "line 1\nline 2"
    assert events(journal) == ["one", "two"]


def test_times_are_utc_and_do_not_go_back(journal):
    for _ in range(3):
        journal.write("tick")
    times = [e["time"] for e in journal.read()]
    assert times == sorted(times)
    assert all(t.endswith("+00:00") for t in times)


def test_a_line_is_on_the_disk_when_write_returns(journal, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(descriptor):
        fsync(descriptor)
        synced.append(journal.path.read_text())

    monkeypatch.setattr(os, "fsync", note)
    journal.write("one")
    journal.write("two")
    assert [text.count("\n") for text in synced] == [1, 2]


@pytest.mark.parametrize("kept", range(1, 20, 3))
def test_a_line_cut_off_by_a_kill_is_left_out_and_harms_no_other(journal, kept):
    journal.write("before")
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + whole[:kept])
    assert events(journal) == ["before"]
    journal.write("after")
    assert events(journal) == ["before", "after"]


def test_a_last_line_that_only_lacks_its_end_counts(journal):
    journal.write("one")
    journal.path.write_bytes(journal.path.read_bytes().rstrip(b"\n"))
    journal.write("two")
    assert events(journal) == ["one", "two"]


def test_garbage_of_a_broken_disk_is_left_out(journal):
    journal.write("one")
    with journal.path.open("ab") as file:
        file.write(b"\x00\x00\xff\xfe{\n")
    journal.write("two")
    assert events(journal) == ["one", "two"]


@pytest.mark.parametrize("line", ["[]", "null", "3", '"x"', "{}", "{", "[" * 5])
def test_a_line_that_is_no_event_is_left_out(journal, line):
    journal.write("one")
    with journal.path.open("a") as file:
        file.write(line + "\n")
    journal.write("two")
    assert events(journal) == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"event": "opened"}', "'time' of the event 'opened' is None"),
        ('{"event": "started", "time": "t"}', "'until' of the event 'started' is None"),
        ('{"event": "finished", "time": "t", "verdict": 3}', "'verdict' of the event 'finished' is 3"),
        (
            '{"event": "trial_finished", "time": "t", "trial": "ab", "purpose": "p", "status": "good"}',
            "'status' of the event 'trial_finished' is 'good'",
        ),
    ],
)
def test_an_event_that_lacks_what_belongs_to_it_is_named(journal, line, said):
    journal.write("one")
    with journal.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError) as error:
        list(journal.read())
    assert error.value.message == f"line 2 of {journal.path} is damaged: {said}."
    assert error.value.hint.startswith("Delete that line")


def test_a_folder_in_its_place_is_named(journal):
    journal.path.mkdir()
    with pytest.raises(UserError, match=r"journal\.jsonl cannot be read: Is a directory"):
        list(journal.read())
    with pytest.raises(UserError, match=r"journal\.jsonl cannot be written: Is a directory"):
        journal.write("one")
