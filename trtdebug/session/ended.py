"""How far a session came: whether its last command ended, and with what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["finished", "unfinished"]


@dataclass(frozen=True)
class Ended:
    """Attributes:
    state: whether the last command that opened it came to its end.
    verdict: of the command that came to its end last; None where none did.
    """

    state: State
    verdict: str | None


def ended(events: Iterable[Mapping[str, Any]]) -> Ended:
    """Of a session with these events in its journal."""
    finished, verdict = False, None
    for event in events:
        if event["event"] == "finished":
            verdict = event["verdict"]
        finished = event["event"] == "finished" or (finished and event["event"] != "opened")
    return Ended("finished" if finished else "unfinished", verdict)
