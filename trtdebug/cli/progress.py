"""Where a session stands, in words: the same for plain lines and for the live view."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from trtdebug.scripts.words import printable

if TYPE_CHECKING:
    from trtdebug.core.outcome import Outcome
    from trtdebug.session.job import Job
    from trtdebug.stages.context import Progress


class Account:
    """Counts trials of the candidate, and what the cache saved."""

    def __init__(self) -> None:
        self.trials = 0
        self.cached = 0
        self.saved = 0.0  # seconds that the cached trials took when they were done
        self.spent: list[float] = []
        self.started = time.perf_counter()

    def begin(self) -> None:
        """Something is about to be done."""
        self.started = time.perf_counter()

    def add(self, job: Job, outcome: Outcome, cached: bool) -> None:
        """Something was done."""
        if cached:
            self.saved += outcome.build_seconds + outcome.run_seconds
        else:
            self.spent.append(time.perf_counter() - self.started)
        if job.role == "candidate":
            self.trials += 1
            self.cached += cached

    def where(self, progress: Progress) -> str:
        """ "41 of 812 nodes left, about 5 trials, 6 min", or the stage and what it does."""
        if not progress.of:
            return f"{progress.stage}: {printable(progress.message)}"
        parts = [f"{progress.left} of {progress.of} nodes left"]
        if progress.trials_left:
            parts.append(f"about {progress.trials_left} trials")
            if self.spent:
                parts.append(duration(progress.trials_left * sum(self.spent) / len(self.spent)))
        if progress.message:
            parts.append(printable(progress.message))
        return ", ".join(parts)

    def from_cache(self) -> str:
        """ "cached 3 (40 s saved)"; empty where nothing came from the cache."""
        if not self.cached:
            return ""
        return f"cached {self.cached}" + (f" ({duration(self.saved)} saved)" if self.saved >= 1 else "")


def untestable(job: Job, outcome: Outcome) -> str:
    """A trial that told nothing, and why; empty for others."""
    if outcome.status != "untestable":
        return ""
    return f"untestable ({printable(job.purpose)}): {printable(outcome.reason)}"


def duration(seconds: float) -> str:
    """ "6 min", or "12 s"; at least a second."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1, round(seconds))} s"


class ProgressLines:
    """One plain line a trial on stderr: "trial 7: 41 of 812 nodes left, about 5 trials, 6 min; cached 3"."""

    def __init__(self) -> None:
        self.account = Account()

    def progress(self, progress: Progress) -> None:
        self.account.begin()
        saved = self.account.from_cache()
        line = f"trial {self.account.trials + 1}: {self.account.where(progress)}"
        sys.stderr.write(f"{line}; {saved}\n" if saved else f"{line}\n")

    def trial(self, job: Job, outcome: Outcome, cached: bool) -> None:
        self.account.add(job, outcome, cached)
        if line := untestable(job, outcome):
            sys.stderr.write(f"  {line}\n")
