"""Files that a case depends on beside its model: by their content, so that no stored result is of another file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trtdebug.core.case import BuildOptions, Case
from trtdebug.session.places import files_of


def file_contents(options: BuildOptions) -> dict[str, str]:
    """SHA-256 by path of the plugin libraries and the calibration cache; they exist."""
    paths = (*options.plugins, *([options.calibration_cache] if options.calibration_cache else []))
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


def changed_file(case: Case) -> str | None:
    """Path of the first of the case's files that is gone, or holds something else now; None where all are the same."""
    files = ((Path(name), same) for name, same in files_of(case) if name != case.model)
    return next((str(path) for path, same in files if not (path.is_file() and same(path))), None)
