"""Writes all reports of a session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtdebug.core.errors import TrtdebugError
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.files import write_text


def write_reports(report: Mapping[str, Any], session: Path, plugins: PluginManager) -> tuple[Path, ...]:
    """One file a format; a format that raises is disabled and reported by the manager."""
    written = []
    for found in plugins.collect("reports"):
        with plugins.guard(found.provider, f"report {found.value.name}", allow=(TrtdebugError,)):
            path = session / Path(found.value.filename).name
            write_text(path, found.value.render(report))
            written.append(path)
    return tuple(written)
