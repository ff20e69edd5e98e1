"""The files of a trial, read back; a trial whose files are damaged is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import fault, loads
from trtdebug.core.outcome import Outcome
from trtdebug.session.job import Job

_REMEDY = "Remove its folder."


def read_job(folder: Path) -> Job:
    """What a trial asked. Raises `UserError` where its file is missing or damaged."""
    with naming(folder):
        return loads((folder / "trial.json").read_text(encoding="utf-8"), Job)


def read_outcome(folder: Path) -> Outcome:
    """What came of a trial. Raises `UserError` where its file is missing or damaged."""
    with naming(folder):
        return loads((folder / "outcome.json").read_text(encoding="utf-8"), Outcome)


@contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Reading files of the trial in `folder`, and nothing else: what goes wrong becomes a `UserError` that names it."""
    try:
        yield
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"the trial {folder} cannot be read: {error}.", _REMEDY) from error
    except Exception as error:  # whatever cattrs finds wrong with it
        raise UserError(f"the trial {folder} is damaged: {fault(error)}.", _REMEDY) from error
