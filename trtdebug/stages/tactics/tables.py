"""Autotuning tables on the disk: in a verbose build log, or as a trial keeps them."""

from __future__ import annotations

import json
from pathlib import Path

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, AutotuningLog
from trtdebug.backends.tensorrt.autotuning import parse_log
from trtdebug.backends.tensorrt.editable_cache import TABLES_FILE
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import from_data

_LOGS = (".log", ".txt")


def holds_tables(path: Path) -> bool:
    """Whether this is a build log, or a trial's tables, by its name."""
    return path.suffix.lower() in _LOGS or path.name == TABLES_FILE


def recorded_tables(path: Path) -> AutotuningLog:
    """The tables of a log that TensorRT, trtexec or Polygraphy wrote at their most verbose; or a trial's `TABLES_FILE`.

    Raises:
        UserError: it can't be read, or there is no table in it.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the path.") from None
    found = _kept(path, text) if path.name == TABLES_FILE else parse_log(text)
    if not found.ops:
        raise UserError(
            f"{path} holds no autotuning tables.",
            "Build with a verbose log (trtexec --verbose, polygraphy -vvv) and without a timing cache.",
        )
    return found


def _kept(path: Path, text: str) -> AutotuningLog:
    try:
        return AutotuningLog(from_data(json.loads(text), tuple[AutotunedOp, ...]))
    except Exception as error:  # whatever cattrs finds wrong with it
        raise UserError(f"{path} holds no autotuning tables.", "Give one that a trial has kept.") from error
