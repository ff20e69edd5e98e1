"""The files of a trial, read back; a trial whose files are damaged is named."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from trtdebug.core.jsonable import loads
from trtdebug.core.outcome import EngineInfo, Outcome
from trtdebug.session.job import Job
from trtdebug.session.stored import naming

T = TypeVar("T")

_REMEDY = "Remove its folder."


def read_job(folder: Path) -> Job:
    """What a trial asked. Raises `UserError` where its file is missing or damaged."""
    return _read(folder, "trial.json", Job)


def read_outcome(folder: Path) -> Outcome:
    """What came of a trial. Raises `UserError` where its file is missing or damaged."""
    return _read(folder, "outcome.json", Outcome)


def read_engine(folder: Path) -> EngineInfo | None:
    """What a trial built; None where it built nothing. Raises `UserError` where its file is damaged."""
    return _read(folder, "engine.json", EngineInfo) if (folder / "engine.json").exists() else None


def _read(folder: Path, name: str, kind: type[T]) -> T:
    with naming(f"the trial {folder}", _REMEDY):
        return loads((folder / name).read_text(encoding="utf-8"), kind)
