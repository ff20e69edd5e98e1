"""Executors: where jobs run. In worker processes (default), or in this one (tests, embedding)."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from trtdebug.backends.base import Backend
from trtdebug.core.outcome import Outcome
from trtdebug.session.job import Job
from trtdebug.session.limits import WorkerLimits
from trtdebug.session.measuring import Metrics
from trtdebug.session.perform import Operators, perform
from trtdebug.session.process import Closed, Replaced, WorkerProcess


class InProcess:
    """Runs jobs right here: no protection from crashes, no start-up time."""

    def __init__(
        self,
        folder: Path,
        backends: Mapping[str, Backend],
        metrics: Metrics | None = None,
        operators: Operators | None = None,
    ) -> None:
        self.folder, self.backends, self.metrics, self.operators = folder, backends, metrics, operators

    def run(self, job: Job) -> Outcome:
        return perform(job, self.backends[job.backend], self.folder, self.metrics, self.operators)

    def close(self) -> None:
        pass


class WorkerProcesses:
    """One warm worker a backend: a builder that crashes takes no other backend with it.

    So there is one process a GPU, as long as one backend at a time uses it.

    Args:
        folder: the session's folder. Nothing is written to it before the first job.
        limits: of each worker.
        environment: for the workers, beside this process's own (which plugins are off, ...).
        replaced: told of each worker that had to be replaced; None = the journal is.
    """

    def __init__(
        self,
        folder: Path,
        limits: WorkerLimits,
        environment: Mapping[str, str] | None = None,
        replaced: Replaced | None = None,
    ) -> None:
        self.folder, self.limits, self.environment = folder, limits, environment
        self.replaced = replaced
        self._workers: dict[str, WorkerProcess] = {}
        self._killed = False
        self._changing = threading.Lock()

    def start(self, reference: str, candidate: str) -> None:
        """Starts the workers of these backends, and has them get ready by themselves; returns at once.

        The reference gets a second process, for its run in a fresh one.
        """
        self._worker(candidate).start(warm=True)  # first: it may take longest
        self._worker(reference).start(warm=True, spare=True)

    def warm(self, backend: str) -> None:
        """Starts the worker of a backend alone, and has it get ready; returns at once."""
        self._worker(backend).start(warm=True)

    def run(self, job: Job) -> Outcome:
        return self._worker(job.backend).run(job)

    def kill(self) -> None:
        """Kills the workers for good, and waits for nothing. May be called while another thread runs a job."""
        with self._changing:
            self._killed = True
            for worker in self._workers.values():
                worker.kill()

    def close(self) -> None:
        self.kill()
        for worker in self._workers.values():
            worker.close()

    def _worker(self, backend: str) -> WorkerProcess:
        with self._changing:
            if self._killed:
                raise Closed
            if backend not in self._workers:
                self._workers[backend] = WorkerProcess(
                    self.folder, self.limits, self.environment, backend, self.replaced
                )
            return self._workers[backend]


class Crew:
    """Several members, each of which does one job at a time; what is submitted at once is done at once.

    A job alone is the first member's, whose reference is warm.

    Args:
        members: one a GPU, or a share of the CPU; each with an environment of its own.
        share_a_device: they would all use the same GPU.
    """

    def __init__(self, members: Sequence[WorkerProcesses], share_a_device: bool = False) -> None:
        self.members, self.share_a_device = tuple(members), share_a_device
        self.workers = len(self.members)
        self._idle = list(range(self.workers))
        self._choosing = threading.Lock()
        # the threads live as long as the crew does: a worker process ends with the thread that started it
        self._threads = ThreadPoolExecutor(self.workers, "trial")

    def start(self, reference: str, candidate: str) -> None:
        """See `WorkerProcesses.start`; members other than the first get only the candidate ready."""
        first, *others = self.members
        first.start(reference, candidate)
        for member in others:
            member.warm(candidate)

    def submit(self, job: Job) -> Future[Outcome]:
        return self._threads.submit(self._run, job)

    def run(self, job: Job) -> Outcome:
        return self.submit(job).result()

    def close(self) -> None:
        """Ends all at once, a job that is being done, too."""
        for member in self.members:
            member.kill()
        self._threads.shutdown(cancel_futures=True)
        for member in self.members:
            member.close()

    def _run(self, job: Job) -> Outcome:
        with self._choosing:
            number = heapq.heappop(self._idle)
        try:
            return self.members[number].run(job)
        finally:
            with self._choosing:
                heapq.heappush(self._idle, number)
