"""A third party's executor: what goes wrong ends the command with its name; no finished trial is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_backend import job

from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.discovery import Plugin
from trtdebug.plugins.record import Provided, Record
from trtdebug.plugins.types import Executor, ExecutorFactory, Parallel, Startable
from trtdebug.session.lent_executor import create
from trtdebug.session.session import Session

PASS = Outcome("pass")


def does(what: Any) -> Callable[..., Any]:
    """A method that gives this, or raises it."""

    def method(*_: object) -> Any:
        if isinstance(what, BaseException):
            raise what
        return what

    return method


class Theirs:
    def __init__(self, **members: Any) -> None:
        vars(self).update({"run": does(PASS), "close": does(None)} | members)


def done(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


def lent(record: Record, made: object, folder: Path) -> Executor:
    plugin = Plugin("ssh", "trtdebug-ssh", "1.2", False, does(None), off="")
    factory = ExecutorFactory("ssh", "", does(made))
    return create(Provided(factory, plugin), record, folder, 60.0, {})


BROKEN = {
    "create raises": (ZeroDivisionError("boom"), "create: ZeroDivisionError: boom"),
    "create exits": (SystemExit(7), "create: SystemExit: 7"),
    "it is nothing": (None, "NoneType has no run"),
    "start raises": (Theirs(start=does(ValueError("no host"))), "start: ValueError: no host"),
    "run raises": (Theirs(run=does(ValueError("no host"))), "run: ValueError: no host"),
    "run gives a text": (Theirs(run=does("pass")), "run: TypeError: it has to give Outcome; it gives str"),
    "submit raises": (Theirs(workers=2, submit=does(ValueError("full"))), "submit: ValueError: full"),
    "submit gives no future": (
        Theirs(workers=2, submit=does(PASS)),
        "it has to give Future; it gives Outcome",
    ),
    "its future gives a text": (Theirs(workers=2, submit=does(done("pass"))), "give Outcome; it gives str"),
    "its future raises": (Theirs(workers=2, submit=does(done(OSError("lost")))), "submit: OSError: lost"),
    "workers is a text": (Theirs(workers="two", submit=does(done(PASS))), "give int; it gives str"),
}


@pytest.mark.parametrize(("made", "said"), BROKEN.values(), ids=BROKEN)
def test_what_goes_wrong_is_one_error_with_a_name(tmp_path: Path, made: object, said: str) -> None:
    record = Record()

    def work() -> None:
        session = Session(tmp_path, lent(record, made, tmp_path))
        if isinstance(session.executor, Startable):
            session.executor.start("a", "b")
        session.run_all((job(), job(repeat=1)))

    with pytest.raises(UserError, match=r"executor ssh of ssh \(trtdebug-ssh 1.2\) failed") as error:
        work()
    assert "trtdebug resume" in error.value.hint
    (problem,) = record.problems
    assert said in f"{problem.hook}: {problem.error}"


def test_what_it_says_to_the_user_is_as_it_is(tmp_path: Path) -> None:
    record = Record()
    made = lent(record, Theirs(run=does(UserError("the cluster is asleep."))), tmp_path)
    with pytest.raises(UserError, match=r"^the cluster is asleep\.$"):
        made.run(job())
    assert record.problems == ()


def test_a_trial_that_was_done_stays_done(tmp_path: Path) -> None:
    outcomes = iter([PASS, ValueError("gone")])
    made = lent(Record(), Theirs(run=lambda job: does(next(outcomes))()), tmp_path)
    with pytest.raises(UserError, match="gone"):
        Session(tmp_path, made).run_all((job(), job(repeat=1)))
    assert Session(tmp_path, None).run(job()).status == "pass"


def test_one_that_is_well_does_several_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        made = Theirs(workers=2, submit=partial(threads.submit, does(PASS)))
        session, record = Session(tmp_path), Record()
        session.executor = lent(record, made, tmp_path)
        assert isinstance(session.executor, Parallel)
        assert session.workers == 2
        assert [o.status for o in session.run_all([job(repeat=n) for n in range(5)])] == ["pass"] * 5
    assert record.problems == ()


def test_one_that_does_one_at_a_time_is_not_asked_for_more(tmp_path: Path) -> None:
    made = lent(Record(), Theirs(), tmp_path)
    assert not isinstance(made, Parallel)
    assert made.run(job()) == PASS


def test_one_that_cannot_be_closed_is_told_of_when_all_is_done(tmp_path: Path) -> None:
    record = Record()
    lent(record, Theirs(close=does(ValueError("stuck"))), tmp_path).close()
    assert [(p.hook, p.error) for p in record.problems] == [("executor ssh: close", "ValueError: stuck")]


def test_what_is_cancelled_is_cancelled_in_the_executor(tmp_path: Path) -> None:
    waiting: Future[Any] = Future()
    made: Any = lent(Record(), Theirs(workers=1, submit=does(waiting)), tmp_path)
    assert made.submit(job()).cancel()
    assert waiting.cancelled()
