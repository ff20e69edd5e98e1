"""Jobs done at once, as far as an executor can; what is told of them is told in the caller's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from trtdebug.core.outcome import Outcome
from trtdebug.plugins.types import Executor, Parallel
from trtdebug.session.job import Job


def workers_of(executor: Executor | None) -> int:
    """How many jobs an executor runs at once."""
    return max(1, executor.workers) if isinstance(executor, Parallel) else 1


def do_all(
    executor: Executor,
    jobs: Sequence[Job],
    begun: Callable[[Job], None],
    done: Callable[[Job, Outcome], None],
) -> None:
    """Does every job once. What the executor raises ends it; jobs that are done by then are told all the same.

    Args:
        jobs: no two of one hash.
        begun: told of each job before it begins.
        done: told of each job as soon as it is done: in any order where several run at once.
    """
    if not isinstance(executor, Parallel):
        for job in jobs:
            begun(job)
            done(job, executor.run(job))
        return
    waiting, running = deque(jobs), dict[Future[Outcome], Job]()
    try:
        while waiting or running:
            while waiting and len(running) < workers_of(executor):
                job = waiting.popleft()
                begun(job)
                running[executor.submit(job)] = job
            wait(running, return_when=FIRST_COMPLETED)
            _take_done(running, done)
    except BaseException:
        for future in running:
            future.cancel()
        finished = {f: j for f, j in running.items() if not f.cancelled() and f.done() and not f.exception()}
        _take_done(finished, done)
        raise


def _take_done(running: dict[Future[Outcome], Job], done: Callable[[Job, Outcome], None]) -> None:
    """Tells of what is done, in the order in which it began."""
    for future in [f for f in running if f.done()]:
        job = running.pop(future)
        done(job, future.result())
