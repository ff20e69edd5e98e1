"""Several jobs of a session at once: the same outcomes, in their order, each stored as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_backend import job

from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.types import Parallel
from trtdebug.session.job import Job
from trtdebug.session.session import Session


class Pool:
    """Two jobs at once; `work` says what comes of one."""

    workers = 2

    def __init__(self, work: Callable[[Job], Outcome]) -> None:
        self.work, self.threads, self.done = work, ThreadPoolExecutor(2), list[int]()

    def submit(self, job: Job) -> Future[Outcome]:
        return self.threads.submit(self.run, job)

    def run(self, job: Job) -> Outcome:
        outcome = self.work(job)
        self.done.append(job.repeat)
        return outcome

    def close(self) -> None:
        self.threads.shutdown()


class OneByOne(Pool):
    """The same without `submit`."""

    submit = None  # type: ignore[assignment]
    workers = 1


def passing(job: Job) -> Outcome:
    return Outcome("pass", reason=str(job.repeat))


def jobs(count: int) -> list[Job]:
    return [job(repeat=number) for number in range(count)]


def statuses(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [o.status for o in outcomes]


@pytest.mark.parametrize("kind", [Pool, OneByOne])
def test_outcomes_come_in_the_order_of_the_jobs(tmp_path: Path, kind: type[Pool]) -> None:
    session = Session(tmp_path, kind(passing))
    told: list[tuple[str, bool]] = []
    session.listeners.append(lambda job, outcome, cached: told.append((outcome.reason, cached)))
    assert [o.reason for o in session.run_all(jobs(5))] == ["0", "1", "2", "3", "4"]
    assert sorted(told) == [(str(n), False) for n in range(5)]
    assert [o.reason for o in session.run_all(jobs(6))] == ["0", "1", "2", "3", "4", "5"]
    assert sorted(told[5:]) == [(str(n), n < 5) for n in range(6)]
    assert (session.counts.builds, session.counts.cached) == (6, 5)
    session.close()


def test_a_job_that_stands_there_twice_is_done_once(tmp_path: Path) -> None:
    pool = Pool(passing)
    assert len(Session(tmp_path, pool).run_all([*jobs(2), *jobs(2)])) == 4
    assert sorted(pool.done) == [0, 1]


@pytest.mark.parametrize(("kind", "done"), [(Pool, 4), (OneByOne, 3)])
def test_until_one_is_enough(tmp_path: Path, kind: type[Pool], done: int) -> None:
    def third_fails(job: Job) -> Outcome:
        return Outcome("fail" if job.repeat == 2 else "pass")

    pool = kind(third_fails)
    session = Session(tmp_path, pool)
    outcomes = session.run_until(jobs(9), lambda outcome: outcome.status == "fail")
    assert statuses(outcomes) == ["pass", "pass", "fail"]
    assert len(pool.done) == done  # one more was begun beside it
    assert statuses(session.run_until(jobs(2), lambda outcome: outcome.status == "fail")) == ["pass", "pass"]


def test_what_is_done_ahead_is_there_when_it_is_asked_for_and_counts_once(tmp_path: Path) -> None:
    pool = Pool(passing)
    session = Session(tmp_path, pool)
    session.run_ahead(jobs(3))
    assert sorted(pool.done) == [0, 1]  # so many as there are workers
    assert [o.reason for o in session.run_all(jobs(2))] == ["0", "1"]
    assert (session.counts.total, session.counts.builds, session.counts.cached) == (2, 2, 0)
    session.run(jobs(1)[0])
    assert (session.counts.total, session.counts.builds, session.counts.cached) == (3, 2, 1)


def test_what_was_done_ahead_is_looked_at_before_more_is_begun(tmp_path: Path) -> None:
    pool = Pool(passing)
    session = Session(tmp_path, pool)
    session.run_ahead(jobs(1))
    assert len(session.run_until(jobs(3), lambda outcome: outcome.status == "pass")) == 1
    assert pool.done == [0]


def test_one_worker_does_nothing_ahead(tmp_path: Path) -> None:
    alone = OneByOne(passing)
    Session(tmp_path, alone).run_ahead(jobs(3))
    assert alone.done == []


def test_no_more_begin_than_there_are_workers(tmp_path: Path) -> None:
    session = Session(tmp_path, Pool(passing))
    session.run_all(jobs(6))
    running = most = 0
    for event in session.journal.read():
        running += {"trial_started": 1, "trial_finished": -1}[event["event"]]
        most = max(most, running)
    assert (running, most) == (0, 2)


def test_what_an_executor_raises_ends_it_and_what_is_done_is_kept(tmp_path: Path) -> None:
    def refuse(job: Job) -> Outcome:
        if job.repeat == 1:
            raise UserError("no place to run it.")
        return passing(job)

    session = Session(tmp_path, Pool(refuse))
    with pytest.raises(UserError, match="no place"):
        session.run_all(jobs(2))
    session.close()
    events = list(session.journal.read())
    assert [e["trial"] for e in events if e["event"] == "trial_finished"] in ([], [jobs(1)[0].sha256])


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    def interrupt(job: Job, outcome: Outcome, cached: bool) -> None:
        raise KeyboardInterrupt

    pool = Pool(passing)
    session = Session(tmp_path, pool, listeners=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        session.run_all(jobs(8))
    session.close()
    finished = [e["trial"] for e in session.journal.read() if e["event"] == "trial_finished"]
    assert 1 <= len(finished) < 8
    again = Session(tmp_path, Pool(passing))
    again.run_all(jobs(8))
    assert again.counts.cached == len(finished)


def test_what_can_submit_is_parallel() -> None:
    assert isinstance(Pool(passing), Parallel)
