"""The journal: one fsynced line an event. The session's memory."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_ONE_AT_A_TIME = threading.Lock()
"""Workers that run at once may have something to tell at once."""


class Journal:
    """journal.jsonl of a session; every line is one JSON object with `time` (UTC, ISO 8601) and `event`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **fields: Any) -> None:
        """Appends an event; on return it is on the disk."""
        line = json.dumps(
            {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": event} | fields
        )
        with _ONE_AT_A_TIME, self.path.open("a", encoding="utf-8") as file:
            if file.tell() and not self._ends_with_newline():
                file.write("\n")  # the process was killed while it wrote the line before
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Iterator[dict[str, Any]]:
        """All events, oldest first; a line cut off by a kill, or that is no event, is left out."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and "event" in event:
                    yield event

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
