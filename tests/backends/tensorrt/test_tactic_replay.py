"""Recordings of tactics in Polygraphy's format: written, read back, and refused where they are something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.backends.tensorrt.tactic_replay import read_replay, write_replay
from trtdebug.backends.tensorrt.tactics import Choice, TensorFormat
from trtdebug.core.errors import UserError

HALF = TensorFormat("HALF", (25088, 49, 7, 1), 1, 8)
RECORDING = {"conv + relu": Choice(0x80000009, -5, (HALF, HALF), (HALF,)), "pool": Choice(1, 2)}


def test_written_and_read_back(tmp_path: Path) -> None:
    write_replay(tmp_path / "deep" / "tactics.json", RECORDING)
    assert read_replay(tmp_path / "deep" / "tactics.json") == RECORDING


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"replay": 3}', '{"replay": {"a": {}}}', '{"replay": {"a": {"implementation": "x"}}}'],
)
def test_what_is_no_recording_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(UserError, match=r"other\.json is no tactic replay"):
        read_replay(tmp_path / "other.json")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        read_replay(tmp_path / "none.json")
