"""Files that a case depends on beside its model: by their content, so that no stored result is of another file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from trtdebug.core.case import BuildOptions, Case
from trtdebug.graph.load import content_sha256


def file_contents(options: BuildOptions) -> dict[str, str]:
    """SHA-256 by path of the plugin libraries and the calibration cache; they exist."""
    paths = (*options.plugins, *([options.calibration_cache] if options.calibration_cache else []))
    return {path: _sha256(path) for path in paths}


def changed_file(case: Case) -> str | None:
    """Path of the first of the case's files that is gone, or holds something else now; None where all are the same."""
    for path, content in _known(case):
        if not Path(path).is_file() or _sha256(path) != content:
            return path
    given = case.candidate_model
    if given is not None and (
        not Path(given).is_file() or content_sha256(Path(given)) != case.candidate_sha256
    ):
        return given
    return None


def _known(case: Case) -> Iterator[tuple[str, str]]:
    yield from case.options.contents.items()
    for source in case.options.operators:
        if source.kind != "extension":
            yield source.name, source.content


def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
