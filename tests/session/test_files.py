"""Files that survive a kill."""

from __future__ import annotations

import os

import pytest

from trtdebug.core.errors import UserError
from trtdebug.session.files import whole_folder, write_text


def test_writes_whole_files_and_makes_folders(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_text(path, "größe\n")
    assert path.read_text(encoding="utf-8") == "größe\n"
    assert [p.name for p in path.parent.iterdir()] == ["b.json"]


def test_a_kill_before_the_end_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "case.json"
    write_text(path, "old")

    def killed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_a_whole_folder_takes_the_place_of_the_old_one(tmp_path):
    folder = tmp_path / "deep" / "fix"
    for content in ("one", "two"):
        with whole_folder(folder, "mark", "thing") as place:
            (place / "mark").write_text(content)
            (place / content).write_text("")
    assert sorted(p.name for p in folder.iterdir()) == ["mark", "two"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_does_not_get_done_leaves_the_old_one(tmp_path):
    folder = tmp_path / "fix"
    with whole_folder(folder, "mark", "thing") as place:
        (place / "mark").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_folder(folder, "mark", "thing") as place:
        raise KeyboardInterrupt
    assert (folder / "mark").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is no thing"), whole_folder(tmp_path, "mark", "thing"):
        raise AssertionError("it was given")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="cannot be written"),
        whole_folder(tmp_path / "file" / "fix", "mark", "thing"),
    ):
        raise AssertionError("it was given")


def test_an_empty_folder_may_be_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out", "mark", "thing") as folder:
        (folder / "mark").write_text("")
    assert (tmp_path / "out" / "mark").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_that_name_is_told_and_nothing_is_left_beside_it(tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(IsADirectoryError, match=r"report\.json"):
        write_text(tmp_path / "report.json", "{}")
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
