"""A session's report.json, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from trtdebug.core.diagnosis import Verdict
from trtdebug.core.errors import UserError
from trtdebug.report.build import SCHEMA

FILENAME = "report.json"

_PARTS: Mapping[str, type] = {
    "reason": str,
    "rule": str,
    "command": str,
    "model": dict,
    "reference": dict,
    "candidate": dict,
    "samples": int,
    "flaky": dict,
    "culprits": list,
    "fixes": list,
    "trials": dict,
    "findings": list,
    "unknown": list,
    "stages": list,
}


def read_report(session: Path) -> dict[str, Any]:
    """The content of report.json in a session's folder.

    Raises:
        UserError: there is none yet, or it cannot be read, or is no report of schema 1.
    """
    path = session / FILENAME
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{session} has no {FILENAME}: the session is not finished, or is none.",
            "`trtdebug resume` it; `trtdebug status` lists sessions.",
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.", _AGAIN) from error
    wrong = _damage(report)
    if wrong:
        raise UserError(f"{path} is no report of schema {SCHEMA}: {wrong}.", _AGAIN)
    found: dict[str, Any] = report
    return found


_AGAIN = "`trtdebug resume` the session: it writes the report anew and repeats no finished trial."


def _damage(report: object) -> str:
    """What is wrong with it; empty where nothing is."""
    if not isinstance(report, dict):
        return "it is no JSON object"
    if report.get("schema") != SCHEMA:
        return f"its schema is {report.get('schema')!r}"
    if report.get("verdict") not in get_args(Verdict):
        return f"its verdict is {report.get('verdict')!r}"
    return next(
        (
            f"{key!r} is missing or damaged"
            for key, kind in _PARTS.items()
            if not isinstance(report.get(key), kind)
        ),
        "",
    )
