"""Writes all reports of a session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from trtdebug.core.errors import TrtdebugError
from trtdebug.plugins import returned
from trtdebug.plugins.lending import lent
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.files import write_text


def write_reports(
    report: Mapping[str, Any], session: Path, plugins: PluginManager, builtin_only: bool = False
) -> tuple[Path, ...]:
    """One file a format; a format that raises is disabled and reported by the manager."""
    written: list[Path] = []
    for found in plugins.collect("reports"):
        own, name = found.provider.builtin, found.value.name
        if builtin_only and not own:
            continue
        with plugins.guard(found.provider, f"report {name}", allow=(TrtdebugError,) if own else ()):
            path = session / _checked(found.value.filename, written)
            with nullcontext(report) if own else lent(report) as seen:
                rendered = returned.text(name, found.value.text(seen, session))
            write_text(path, rendered)
            written.append(path)
    return tuple(written)


_OF_THE_SESSION = frozenset(
    (
        *("case.json", "preflight.json", "places.json", "skips.json", "journal.jsonl", "session.lock"),
        *("fix", "given", "repro", "tensors", "trials", "work"),
    )
)
"""In lower case: some file systems take both for the same."""


def _checked(filename: str, written: Sequence[Path]) -> str:
    """The file's name. Raises `ValueError` where it would leave the folder, or overwrite what is not its own."""
    if filename in ("", ".", "..") or re.search(r"[/\\\0]", filename):
        raise ValueError(f"{filename!r} is no name of a file in the session's folder")
    if filename.lower() in _OF_THE_SESSION or filename.lower() in (path.name.lower() for path in written):
        raise ValueError(f"{filename!r} is taken")
    return filename
