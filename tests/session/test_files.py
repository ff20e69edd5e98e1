"""Files that survive a kill."""

from __future__ import annotations

import os

import pytest

from trtdebug.session.files import write_text


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
