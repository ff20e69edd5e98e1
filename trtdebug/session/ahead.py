"""Workers that were started before anybody asked for them, and wait to be taken.

What TensorRT takes to start, seconds, then passes while the command line, the plugins and the model are read.
"""

from __future__ import annotations

from collections.abc import Mapping

from trtdebug.session.child import Child

_waiting: list[tuple[dict[str, str], Child]] = []


def start_ahead(environment: Mapping[str, str], warm: str) -> None:
    """Starts a worker that makes the backend `warm` ready. Returns at once."""
    _waiting.append((dict(environment), Child(environment, warm)))


def take(environment: Mapping[str, str], warm: str) -> Child | None:
    """A waiting worker of just this environment and backend; it is the caller's from now on. None: there is none."""
    for entry in _waiting:
        if entry[0] == dict(environment) and entry[1].warm == warm:
            _waiting.remove(entry)
            return entry[1]
    return None


def end_waiting() -> None:
    """Ends the workers that nobody took."""
    while _waiting:
        _waiting.pop()[1].end()
