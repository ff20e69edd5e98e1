"""Where the files of a case are, also when the session's folder or they were moved, or came from another machine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from trtdebug.core.case import BuildOptions, Case
from trtdebug.core.errors import UserError
from trtdebug.session.files import write_text

FILE = "places.json"
Same = Callable[[Path], bool]


def files_of(case: Case) -> Iterator[tuple[str, Same]]:
    """Paths of all files that a case depends on, each once, and whether another file is the same."""
    yield case.model, lambda path: _holds(path, case.sha256)
    if case.candidate_model is not None:
        yield case.candidate_model, lambda path: _holds(path, case.candidate_sha256 or "")
    given = dict(case.options.contents)
    given |= {s.name: s.content for s in case.options.operators if s.kind != "extension"}
    for name, content in given.items():
        yield name, lambda path, content=content: _sha256(path) == content  # type: ignore[misc]


def note_places(case: Case, folder: Path) -> None:
    """Writes down where the files lie as seen from the session's folder, so that both may be moved together."""
    known = {path: os.path.relpath(path, folder.resolve()) for path, _ in files_of(case)}
    write_text(folder / FILE, json.dumps(known, indent=2, sort_keys=True))


def located(case: Case, folder: Path, model: Path | None = None) -> Case:
    """The case with the files where they are now; those that are not found keep the path that they had.

    Args:
        model: where the model is said to be.
    """
    known = _known(folder)
    found = {}
    for path, same in files_of(case):
        given = model if path == case.model else None
        places = (given, folder / path, folder / known.get(path, path))
        there = next((p.resolve() for p in places if p is not None and p.is_file() and same(p)), None)
        found[path] = str(there) if there is not None else path
    return moved(case, found)


def moved(case: Case, places: dict[str, str]) -> Case:
    """The case with other paths for its files, by the paths that they have."""
    options = case.options

    def now(path: str) -> str:
        return places.get(path, path)

    def there(options: BuildOptions) -> BuildOptions:
        return replace(
            options,
            plugins=tuple(map(now, options.plugins)),
            calibration_cache=options.calibration_cache and now(options.calibration_cache),
            operators=tuple(replace(s, name=now(s.name)) for s in options.operators),
            contents={now(path): content for path, content in options.contents.items()},
        )

    candidate = case.candidate_model and now(case.candidate_model)
    return replace(case, model=now(case.model), candidate_model=candidate, options=there(options))


def _known(folder: Path) -> dict[str, str]:
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # an older session has none: then only the paths of the case are tried
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def _holds(path: Path, sha256: str) -> bool:
    """Whether it is the model, or the engine, of this hash. One with parts in other files has a hash of all of them."""
    from trtdebug.graph.load import content_sha256

    try:
        return _sha256(path) == sha256 or content_sha256(path) == sha256
    except UserError:  # no model, or parts of it are missing
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
