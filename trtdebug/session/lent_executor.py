"""Executors of third parties: what goes wrong in one ends the session's command with its name, and loses no trial."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from trtdebug.core.outcome import Outcome
from trtdebug.plugins.owned import Broken, Owned
from trtdebug.plugins.record import Provided, Record
from trtdebug.plugins.types import Executor, ExecutorFactory, Parallel, Startable
from trtdebug.session.job import Job

T = TypeVar("T")
_NO_LIMIT = 1e7
"""Seconds: a trial has a time limit of its own, which is the executor's to keep."""
_HINT = "No finished trial is lost: `trtdebug resume` goes on, with another --executor or without one."


def create(
    found: Provided[ExecutorFactory],
    record: Record,
    folder: Path,
    timeout: float,
    environment: Mapping[str, str],
) -> Executor:
    """What this factory makes. Raises `UserError` where it cannot."""
    factory = found.value
    if found.provider.builtin:
        return factory.create(folder, timeout, environment)
    owned = Owned(record, found.provider, f"executor {factory.name}", _HINT)
    made = owned.call("create", lambda: _executor(factory.create(folder, timeout, environment)))
    return _LentParallel(made, owned) if isinstance(made, Parallel) else _Lent(made, owned)


class _Lent:
    def __init__(self, executor: Any, owned: Owned) -> None:
        self._executor, self._owned = executor, owned

    def start(self, reference: str, candidate: str) -> None:
        if isinstance(self._executor, Startable):
            executor = self._executor
            self._owned.call("start", lambda: executor.start(reference, candidate))

    def run(self, job: Job) -> Outcome:
        return self._owned.call("run", lambda: _of(Outcome, self._executor.run(job)), _NO_LIMIT)

    def close(self) -> None:
        with suppress(Broken):  # it is reported, and what was asked for is done
            self._owned.call("close", self._executor.close)


class _LentParallel(_Lent):
    @property
    def workers(self) -> int:
        return self._owned.call("workers", lambda: _of(int, self._executor.workers))

    def submit(self, job: Job) -> Future[Outcome]:
        return _Answer(
            self._owned.call("submit", lambda: _of(Future, self._executor.submit(job))), self._owned
        )


class _Answer(Future[Outcome]):
    """A trial's outcome; that there is none is told to whoever asks for it, and not in the executor's threads."""

    def __init__(self, given: Future[Any], owned: Owned) -> None:
        super().__init__()
        self.set_running_or_notify_cancel()
        self._given, self._owned = given, owned
        given.add_done_callback(self._take)

    def result(self, timeout: float | None = None) -> Outcome:
        get = super().result
        return self._owned.call("submit", lambda: get(timeout), _NO_LIMIT)

    def cancel(self) -> bool:
        return self._given.cancel()

    def _take(self, given: Future[Any]) -> None:
        try:
            self.set_result(_of(Outcome, given.result()))
        except BaseException as error:  # noqa: BLE001 - whatever it is, who waits is told
            self.set_exception(error)


def _executor(value: object) -> Executor:
    lacks = [name for name in ("run", "close") if not callable(getattr(value, name, None))]
    if lacks:
        raise TypeError(
            f"it has to give an object with run and close; {type(value).__name__} has no {lacks[0]}"
        )
    return cast(Executor, value)


def _of(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"it has to give {kind.__name__}; it gives {type(value).__name__}")
    return value
