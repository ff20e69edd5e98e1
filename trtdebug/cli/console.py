"""What the CLI prints: results to stdout, progress to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtdebug.api.opening import Watch
    from trtdebug.core.outcome import Outcome
    from trtdebug.session.job import Job
    from trtdebug.stages.context import Progress


def say(text: str = "") -> None:
    """A line of result, on stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def say_json(data: Any) -> None:
    """A result for programs, on stdout."""
    say(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False))


@contextmanager
def watching(quiet: bool) -> Iterator[Watch | None]:
    """Who tells on stderr how a session goes on; None where nobody wants to know."""
    yield None if quiet else ProgressLines()


class ProgressLines:
    """One plain line a trial on stderr: "trial 7: 41 of 812 nodes left, about 5 trials, 6 min; cached 3"."""

    def __init__(self) -> None:
        self.trials = 0
        self.cached = 0
        self.spent: list[float] = []
        self.started = time.perf_counter()

    def progress(self, progress: Progress) -> None:
        self.started = time.perf_counter()
        sys.stderr.write(f"trial {self.trials + 1}: {self._where(progress)}{self._cached()}\n")

    def trial(self, job: Job, outcome: Outcome, cached: bool) -> None:
        if job.role == "candidate":
            self.trials += 1
            self.cached += cached
        if not cached:
            self.spent.append(time.perf_counter() - self.started)
        if outcome.status == "untestable":
            sys.stderr.write(f"  untestable ({job.purpose}): {outcome.reason}\n")

    def _where(self, progress: Progress) -> str:
        if not progress.of:
            return f"{progress.stage}: {progress.message}"
        parts = [f"{progress.left} of {progress.of} nodes left"]
        if progress.trials_left:
            parts.append(f"about {progress.trials_left} trials")
            if self.spent:
                seconds = progress.trials_left * sum(self.spent) / len(self.spent)
                parts.append(f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1, round(seconds))} s")
        if progress.message:
            parts.append(progress.message)
        return ", ".join(parts)

    def _cached(self) -> str:
        return f"; cached {self.cached}" if self.cached else ""
