"""One warm worker process: what breaks it costs a trial at most."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trtdebug.core.exits import exit_words
from trtdebug.core.jsonable import loads, to_data
from trtdebug.core.outcome import Outcome
from trtdebug.session.ahead import take
from trtdebug.session.child import Child, Died, HeldTooMuch, TookTooLong
from trtdebug.session.death import held_too_much, of_death, spoiled, took_too_long
from trtdebug.session.files import end_of
from trtdebug.session.job import Job
from trtdebug.session.journal import Journal
from trtdebug.session.limits import WorkerLimits, default_memory

_TAIL = 20
_LAST_PATIENCE = 0.1  # seconds; nobody waits for a killed worker's memory once the session is over

Replaced = Callable[[Job, str], None]
"""Told why the worker of a job had to be replaced."""


class Closed(Exception):
    """The session ends: the job is not done."""


@dataclass(frozen=True)
class _Attempt:
    """One try of a job.

    Attributes:
        again: another one, in a fresh worker, is worth its time.
        taken: the worker had begun with it.
    """

    outcome: Outcome
    again: bool = False
    taken: bool = True


class WorkerProcess:
    """One warm child process. What breaks it costs a trial at most: the next job gets a new one.

    A death is tried once more in a fresh worker, since it may be chance. So is a want of memory or a CUDA
    error in a worker that did other trials before, since those may have left it behind. Both are written to
    the journal, as `worker_restarted`.

    Args:
        backend: the one to make ready before the first job where `start` is told to warm.
        replaced: told of each replacement in place of the journal.
    """

    def __init__(
        self,
        folder: Path,
        limits: WorkerLimits | None = None,
        environment: Mapping[str, str] | None = None,
        backend: str = "",
        replaced: Replaced | None = None,
    ) -> None:
        self.folder, self.environment, self.backend = folder, dict(environment or {}), backend
        self.limits = limits or WorkerLimits(1800.0, default_memory())
        self._replaced = replaced or self._write_to_the_journal
        self._warm = False
        self._killed = False
        self._changing = (
            threading.RLock()
        )  # who kills, and who puts a new process in the place of a broken one
        self._child: Child | None = None
        self._spare: Child | None = None

    def start(self, warm: bool = False, spare: bool = False) -> None:
        """Starts the process if there is none; returns at once.

        Args:
            warm: its backend's `warm_up` is called in it before the first job, and after each restart.
            spare: start another one too, for the first job that wants a fresh process.
        """
        self._warm = warm
        self._child = self._child or self._new()
        if spare:
            self._spare = self._spare or self._new()

    def run(self, job: Job) -> Outcome:
        """Runs a job. Raises `Closed` where another thread kills the worker meanwhile."""
        log = self.folder / "trials" / job.sha256 / "log.txt"
        log.unlink(missing_ok=True)
        first = self._attempt(job, log)
        if not first.again:
            return first.outcome
        if log.exists():
            log.replace(log.with_name("log-first.txt"))
        second = self._attempt(job, log).outcome
        if second.status != "untestable" or not first.taken:
            return second
        same = second.reason == first.outcome.reason
        then = "and again in a fresh worker" if same else f"in a fresh worker: {second.reason}"
        return replace(second, reason=f"{first.outcome.reason}; {then}")

    def kill(self) -> None:
        """Kills the processes for good, and waits for nothing; `close` does. Any thread may call it."""
        with self._changing:
            self._killed = True
            for child in self._children():
                child.kill()

    def close(self) -> None:
        """Ends the processes. The memory of a large one may be free only a moment later."""
        for child in self._children():
            child.end(_LAST_PATIENCE)
        self._child = self._spare = None

    def _children(self) -> list[Child]:
        return [c for c in (self._child, self._spare) if c is not None]

    def _attempt(self, job: Job, log: Path) -> _Attempt:
        child = self._ready(job)
        used, started = child.used, time.perf_counter()
        request = json.dumps({"job": to_data(job), "folder": str(self.folder), "log": str(log)})
        try:
            outcome = loads(child.ask(request, self.limits), Outcome)
            again, broken = used, spoiled(outcome, end_of(log))
        except TookTooLong:
            again, broken = False, took_too_long(self.limits)
        except HeldTooMuch as held:
            again, broken = used, held_too_much(held.args[0], self.limits)
        except Died as died:
            again, broken = True, of_death(died.args[0], end_of(log) or child.startup_log())
        except BaseException:
            self._drop()  # interrupted: its answer must not be taken for that of the next job
            raise
        if broken is None:
            tail = _tail(end_of(log)) if outcome.status == "untestable" else ""
            return _Attempt(replace(outcome, log_tail=tail))
        taken = log.exists()
        if not taken:
            self._warm = False
        tail = _tail(end_of(log) or child.startup_log())
        seconds = broken.build_seconds or time.perf_counter() - started
        self._restart(broken.reason, job)
        return _Attempt(replace(broken, log_tail=tail, build_seconds=seconds), again or not taken, taken)

    def _ready(self, job: Job) -> Child:
        if self._child is not None and (code := self._child.ended()) is not None:
            self._warm = self._warm and self._child.used
            last = self._child.startup_log().splitlines()[-1:] or [exit_words(code)]
            how = (
                f"between two trials: {exit_words(code)}"
                if self._child.used
                else f"while it got ready: {last[0]}"
            )
            self._restart(f"the worker died {how}", job)
        if self._child is not None and job.fresh_process and self._child.used:
            self._drop()
        if self._child is None:
            with self._changing:
                self._child, self._spare = self._spare or self._new(), None
        return self._child

    def _restart(self, why: str, job: Job) -> None:
        """Puts a new process in the place of a broken one, so that it gets ready while others work."""
        with self._changing:
            self._drop()
            self._child = self._new()
        self._replaced(job, why)

    def _write_to_the_journal(self, job: Job, why: str) -> None:
        write_replaced(self.folder, job, why)

    def _new(self) -> Child:
        if self._killed:
            raise Closed
        warm = self.backend if self._warm else ""
        return take(self.environment, warm) or Child(self.environment, warm)

    def _drop(self) -> None:
        with self._changing:
            if self._child is not None:
                self._child.end()
            self._child = None


def write_replaced(folder: Path, job: Job, why: str) -> None:
    """Writes to a session's journal that the worker of a job had to be replaced."""
    Journal(folder / "journal.jsonl").write(
        "worker_restarted", trial=job.sha256, purpose=job.purpose, backend=job.backend, reason=why
    )


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-_TAIL:])
