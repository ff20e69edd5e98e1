"""Writes all reports of a session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtdebug.core.errors import TrtdebugError
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.files import write_text


def write_reports(report: Mapping[str, Any], session: Path, plugins: PluginManager) -> tuple[Path, ...]:
    """One file a format; a format that raises is disabled and reported by the manager."""
    written: list[Path] = []
    for found in plugins.collect("reports"):
        with plugins.guard(found.provider, f"report {found.value.name}", allow=(TrtdebugError,)):
            path = session / _checked(found.value.filename, written)
            write_text(path, found.value.render(report))
            written.append(path)
    return tuple(written)


_OF_THE_SESSION = frozenset(("case.json", "journal.jsonl", "session.lock"))


def _checked(filename: str, written: Sequence[Path]) -> str:
    """The file's name. Raises `ValueError` where it would leave the folder, or overwrite what is not its own."""
    if filename in ("", ".", "..") or re.search(r"[/\\\0]", filename):
        raise ValueError(f"{filename!r} is no name of a file in the session's folder")
    if filename in _OF_THE_SESSION or filename in (path.name for path in written):
        raise ValueError(f"{filename!r} is taken")
    return filename
