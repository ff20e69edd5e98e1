"""Jobs in processes that others start: an executor over anything that submits functions as `concurrent.futures` do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from trtdebug import __version__
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps, loads
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.files import write_text
from trtdebug.session.job import Job
from trtdebug.session.limits import MEMORY_VARIABLE
from trtdebug.session.outpost import Answer, Look, Request, look, release, run_job
from trtdebug.session.process import write_replaced

Everywhere = Callable[[Callable[[str], str], str], Iterable[str]]
"""`everywhere(function, text)` calls a function in each process of a pool, and gives what it returns."""
_TRIES = 2


class Submits(Protocol):
    """What is needed of a `concurrent.futures.Executor`, or of something like it."""

    def submit(self, function: Callable[[str], str], text: str, /) -> Future[str]: ...


class Pooled:
    """An executor whose jobs run in the processes of a pool: several on this host, or on others.

    A process of the pool needs trtdebug in the same version, and the session's folder and the model under the same
    paths. It runs each job in a worker process of its own, as on this machine: with its limits of time and memory, and
    tried once more where it dies. Where the process itself is lost with a job, that is tried once more in another one.

    Args:
        pool: hands functions of a text, which can be pickled by name, to its processes.
        workers: how many jobs it runs at once.
        folder, timeout, environment: as `ExecutorFactory.create` gets them.
        everywhere: reaches each process of the pool; None = so many submits as there are workers.
        close: called at the end.
    """

    def __init__(
        self,
        pool: Submits,
        workers: int,
        folder: Path,
        timeout: float,
        environment: Mapping[str, str],
        everywhere: Everywhere | None = None,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self.pool, self.workers, self.folder, self.timeout = pool, workers, folder, timeout
        self.environment = {k: v for k, v in environment.items() if k != MEMORY_VARIABLE}
        self.memory = int(environment[MEMORY_VARIABLE]) if MEMORY_VARIABLE in environment else None
        self._everywhere, self._close = everywhere or self._so_many_times, close
        self._name = uuid.uuid4().hex
        self._looked = self._closing = False
        self._running: set[Future[str]] = set()

    def start(self, reference: str, candidate: str) -> None:
        """Makes sure that all processes see the session's folder. Raises `UserError` where one does not."""
        if self.folder.is_dir():
            self._look()

    def submit(self, job: Job) -> Future[Outcome]:
        """Begins with a job. Raises `UserError` as `start`."""
        self._look()
        answer: Future[Outcome] = Future()
        answer.set_running_or_notify_cancel()
        self._try(job, answer, 1)
        return answer

    def run(self, job: Job) -> Outcome:
        return self.submit(job).result()

    def close(self) -> None:
        """Ends what is being done."""
        self._closing = True
        for future in tuple(self._running):
            future.cancel()
        if self._looked:
            with suppress(Exception):  # processes that are gone have nothing to release
                list(self._everywhere(release, self._name))
        self._close()

    def _look(self) -> None:
        if self._looked:
            return
        mark = self.folder / "work" / f"seen-{self._name}"
        write_text(mark, self._name)
        try:
            problems = [
                p for p in self._everywhere(look, dumps(Look(str(mark), self._name, __version__))) if p
            ]
        except Exception as error:  # noqa: BLE001 - whatever a pool raises whose processes lack trtdebug
            problems = [_words(error)]
        finally:
            mark.unlink()
        if problems:
            raise UserError(
                f"the executor cannot run trials of this session: {problems[0]}.",
                "Each of its processes needs this version of trtdebug, and has to see the session's folder (--session) "
                "and the model under the same paths.",
            )
        self._looked = True

    def _so_many_times(self, function: Callable[[str], str], text: str) -> Iterable[str]:
        futures = [self.pool.submit(function, text) for _ in range(self.workers)]
        return [future.result() for future in futures]

    def _try(self, job: Job, answer: Future[Outcome], number: int) -> None:
        request = Request(self._name, job, str(self.folder), self.timeout, self.memory, self.environment)
        try:
            future = self.pool.submit(run_job, dumps(request))
        except Exception as error:  # noqa: BLE001 - a broken pool takes nothing any more
            answer.set_result(_lost(error))
            return
        self._running.add(future)
        future.add_done_callback(lambda done: self._take(job, answer, number, done))

    def _take(self, job: Job, answer: Future[Outcome], number: int, done: Future[str]) -> None:
        """Called by the pool, in any thread."""
        self._running.discard(done)
        try:
            if done.cancelled() or self._closing:
                answer.set_exception(RuntimeError("the session ends"))
            elif error := done.exception():
                if number < _TRIES:
                    write_replaced(self.folder, job, f"the executor lost the trial: {_words(error)}")
                    self._try(job, answer, number + 1)
                else:
                    answer.set_result(_lost(error))
            else:
                told = loads(done.result(), Answer)
                for why in told.replaced:
                    write_replaced(self.folder, job, why)
                answer.set_result(told.outcome)
        except Exception as error:  # noqa: BLE001 - else who waits for the answer would wait for ever
            answer.set_exception(error)


def _lost(error: BaseException) -> Outcome:
    return Outcome("untestable", Signature("crash"), f"the executor lost the trial: {_words(error)}")


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
