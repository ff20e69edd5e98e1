"""What a process of a pool does with jobs (see trtdebug.session.pool): functions of a text, that give a text.

Each job runs in a worker process of its own, which stays warm for the next one.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from trtdebug import __version__
from trtdebug.core.jsonable import dumps, loads
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.executor import WorkerProcesses
from trtdebug.session.files import WORK_VARIABLE, write_text
from trtdebug.session.job import Job
from trtdebug.session.limits import WorkerLimits, default_memory

_IDLE = 120.0
"""Seconds without a job after which a worker ends: whoever sent the last one may be gone."""
_LOST_TWICE = 2


@dataclass(frozen=True)
class Look:
    """Does this process see the session's folder, and is it of the same version?"""

    mark: str
    content: str
    version: str


@dataclass(frozen=True)
class Request:
    """A job and what its worker may take.

    Attributes:
        session: a name that no other session has, and not the same one another time.
        memory: bytes that the worker may hold; None = the default.
        environment: for the worker, beside this process's own.
    """

    session: str
    job: Job
    folder: str
    timeout: float
    memory: int | None
    environment: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What came of a job; and why its worker was replaced meanwhile, each time."""

    outcome: Outcome
    replaced: tuple[str, ...] = ()


def look(text: str) -> str:
    """What is in the way of jobs of a session (`Look`); empty where nothing is."""
    asked = loads(text, Look)
    here = f"{socket.gethostname()}, process {os.getpid()}"
    if asked.version != __version__:
        return f"{here}, has trtdebug {__version__}, not {asked.version}"
    try:
        content = Path(asked.mark).read_text(encoding="utf-8")
    except OSError as error:
        return f"{here}, does not see the session's folder {Path(asked.mark).parents[1]}: {error.strerror}"
    return "" if content == asked.content else f"{here}, sees another session's folder"


def run_job(text: str) -> str:
    """Runs a `Request`; gives an `Answer`."""
    request = loads(text, Request)
    with _attempt(request) as lost:
        if len(lost) >= _LOST_TWICE:
            reason = f"the process that ran it was lost, and so was the next: {', '.join(lost)}"
            return dumps(Answer(Outcome("untestable", Signature("crash"), reason)))
        with _slot(request) as slot:
            answer = slot.run(request)
    before = tuple(f"the process that ran it was lost: {where}" for where in lost[-1:])
    return dumps(replace(answer, replaced=(*before, *answer.replaced)))


def release(session: str) -> str:
    """Ends the workers of a session in this process, also those that are at work."""
    with _lock:
        mine = [slot for slot in _slots if slot.session == session]
        _slots[:] = [slot for slot in _slots if slot.session != session]
    for slot in mine:
        slot.close()
    return ""


@dataclass
class _Slot:
    """The workers of one job at a time, and the thread that they end with (see `Child`)."""

    session: str
    number: int
    busy: bool = True
    replaced: list[str] = field(default_factory=list)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "trial"))
    workers: WorkerProcesses | None = None
    timer: threading.Timer | None = None

    def run(self, request: Request) -> Answer:
        self.replaced.clear()
        if self.workers is None:
            memory = request.memory or default_memory()
            work = {WORK_VARIABLE: f"{socket.gethostname()}-{os.getpid()}-{self.number}"}
            self.workers = WorkerProcesses(
                Path(request.folder),
                WorkerLimits(request.timeout, memory),
                request.environment | work,
                lambda job, why: self.replaced.append(why),
            )
        outcome = self.thread.submit(self.workers.run, request.job).result()
        return Answer(outcome, tuple(self.replaced))

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.workers is not None:
            self.workers.kill()
        self.thread.shutdown()
        if self.workers is not None:
            self.workers.close()


_slots: list[_Slot] = []
_lock = threading.Lock()


@contextmanager
def _slot(request: Request) -> Iterator[_Slot]:
    """An idle slot of the session, or a new one; it ends by itself where nobody needs it any more."""
    with _lock:
        slot = next((s for s in _slots if s.session == request.session and not s.busy), None)
        if slot is None:
            numbers = {s.number for s in _slots if s.session == request.session}
            slot = _Slot(request.session, next(n for n in range(len(numbers) + 1) if n not in numbers))
            _slots.append(slot)
        slot.busy = True
        if slot.timer is not None:
            slot.timer.cancel()
    try:
        yield slot
    finally:
        with _lock:
            slot.busy = False
            slot.timer = threading.Timer(_IDLE, _end_idle, [slot])
            slot.timer.daemon = True
            slot.timer.start()


def _end_idle(slot: _Slot) -> None:
    with _lock:
        if slot.busy or slot not in _slots:
            return
        _slots.remove(slot)
    slot.close()


@contextmanager
def _attempt(request: Request) -> Iterator[list[str]]:
    """Where this job was begun before in this session and never ended, since its process was lost."""
    mark = Path(request.folder) / "trials" / request.job.sha256 / "running.txt"
    try:
        session, *lost = mark.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ValueError):
        session, lost = "", []
    lost = lost if session == request.session else []
    here = f"{socket.gethostname()}, process {os.getpid()}"
    write_text(mark, "\n".join((request.session, *lost, here)))
    try:
        yield lost
    finally:
        mark.unlink(missing_ok=True)
