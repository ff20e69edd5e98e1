"""preflight.json: what was found before the first trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtdebug.core.finding import Finding
from trtdebug.core.jsonable import dumps
from trtdebug.session.files import write_text
from trtdebug.session.stored import read_stored

FILE = "preflight.json"


def store_findings(folder: Path, findings: Sequence[Finding]) -> None:
    """Keeps them in the session's folder."""
    write_text(folder / FILE, dumps(list(findings), indent=2))


def read_findings(folder: Path) -> tuple[Finding, ...]:
    """Of a session's folder; none where the file is not there. Raises `UserError` where it is damaged."""
    path = folder / FILE
    if not path.exists():
        return ()
    return tuple(read_stored(path, list[Finding], "Delete it: the session goes on without these findings."))
