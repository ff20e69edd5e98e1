"""Several workers in one process, and a session that counts rounds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from trtdebug.core.outcome import Outcome
from trtdebug.session.executor import InProcess
from trtdebug.session.job import Job
from trtdebug.session.session import Session
from trtdebug.stages.context import Context


class Threads:
    """Jobs at once in this process; knows how many there were at most."""

    def __init__(self, one: InProcess, workers: int) -> None:
        self.one, self.workers = one, workers
        self.pool = ThreadPoolExecutor(workers)
        self.lock, self.running, self.most = threading.Lock(), 0, 0

    def submit(self, job: Job) -> Future[Outcome]:
        return self.pool.submit(self.run, job)

    def run(self, job: Job) -> Outcome:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            return self.one.run(job)
        finally:
            with self.lock:
                self.running -= 1

    def close(self) -> None:
        self.pool.shutdown()


@dataclass
class Counting(Session):
    """Counts how often it built something, however much at once."""

    rounds: int = 0

    def run_all(self, jobs: Sequence[Job]) -> tuple[Outcome, ...]:
        before = self.counts.builds
        outcomes = super().run_all(jobs)
        self.rounds += self.counts.builds > before
        return outcomes


def with_workers(ctx: Context, workers: int) -> Counting:
    """The case's session from now on: with so many workers."""
    executor = Threads(InProcess(ctx.session.folder, ctx.plugins.backends()), workers)
    session = Counting(ctx.session.folder, executor)
    ctx.session = session
    return session
