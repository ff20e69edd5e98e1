"""The journal: one fsynced line an event. The session's memory."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast, get_args

from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Status

_ONE_AT_A_TIME = threading.Lock()
"""Workers that run at once may have something to tell at once."""
_REMEDY = "Move it away: the session goes on with its trials, and without what else it tells."


class _Field(NamedTuple):
    """Of an event. `kinds`: types of its value; `words`: all there are, where not any will do."""

    name: str
    kinds: tuple[type, ...] = (str,)
    words: tuple[str, ...] = ()


_FIELDS = {
    "started": (_Field("until"),),
    "finished": (_Field("verdict"),),
    "stage_started": (_Field("stage"),),
    "trial_finished": (
        _Field("trial"),
        _Field("purpose"),
        _Field("status", words=get_args(Status)),
        _Field("reason"),
        _Field("seconds", (int, float)),
    ),
    "plugin_problem": (_Field("plugin"), _Field("distribution"), _Field("where"), _Field("error")),
}
"""What is read of events again, beside their time."""


class Journal:
    """journal.jsonl of a session; every line is one JSON object with `time` (UTC, ISO 8601) and `event`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **fields: Any) -> None:
        """Appends an event; on return it is on the disk. Raises `UserError` where the file cannot be written."""
        line = json.dumps(
            {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": event} | fields
        )
        with _ONE_AT_A_TIME, self._opened("a") as file:
            if file.tell() and not self._ends_with_newline():
                file.write("\n")  # the process was killed while it wrote the line before
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Iterator[dict[str, Any]]:
        """All events, oldest first; a line cut off by a kill, or that is no event, is left out.

        Raises:
            UserError: the file cannot be read, or an event lacks what belongs to it.
        """
        if not self.path.exists():
            return
        with self._opened("r") as file:
            for number, line in enumerate(file, start=1):
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and isinstance(event.get("event"), str):
                    self._check(event, number)
                    yield event

    @property
    def begun(self) -> str:
        """When its first event was, UTC, ISO 8601; empty where that cannot be told."""
        try:
            return next((event["time"] for event in self.read()), "")
        except UserError:
            return ""

    def _check(self, event: dict[str, Any], number: int) -> None:
        for field in (_Field("time"), *_FIELDS.get(event["event"], ())):
            value = event.get(field.name)
            if not isinstance(value, field.kinds) or (field.words and value not in field.words):
                raise UserError(
                    f"line {number} of {self.path} is damaged: {field.name!r} of the event {event['event']!r} is "
                    f"{value!r}.",
                    "Delete that line: what trials came to stands in trials/.",
                )

    def _opened(self, mode: str) -> TextIO:
        try:
            return cast("TextIO", self.path.open(mode, encoding="utf-8", errors="replace"))
        except OSError as error:
            doing = "read" if mode == "r" else "written"
            raise UserError(f"{self.path} cannot be {doing}: {error.strerror}.", _REMEDY) from error

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
