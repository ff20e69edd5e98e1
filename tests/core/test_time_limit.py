"""Code that takes too long is broken off, whatever it catches."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from trtdebug.core.time_limit import TookTooLong, time_limit


def spins() -> None:
    while True:
        pass


def sleeps() -> None:
    time.sleep(60)


def waits() -> None:
    threading.Event().wait()


attempts: list[int] = []


def catches_everything() -> None:
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 - as loops do that wait for something
            attempts.append(1)


@pytest.mark.parametrize("work", [spins, sleeps, waits, catches_everything])
def test_it_ends_and_nothing_stays_behind(work: Callable[[], None]) -> None:
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with pytest.raises(TookTooLong), time_limit(0.05):
        work()
    assert signal.getsignal(signal.SIGALRM) is handler
    assert bool(signal.getitimer(signal.ITIMER_REAL)[0]) == bool(timer[0])
    assert sys.gettrace() is None or "trtdebug" not in repr(sys.gettrace())


def test_what_is_quick_is_not_told() -> None:
    with time_limit(60):
        done = sum(range(1000))
    assert done == 499500


def test_of_two_limits_each_has_its_own_time() -> None:
    def work() -> None:
        with pytest.raises(TookTooLong), time_limit(0.01):
            spins()
        spins()

    with pytest.raises(TookTooLong), time_limit(0.1):
        work()


def test_another_thread_has_no_limit() -> None:
    ended = []

    def work() -> None:
        with time_limit(0.01):
            time.sleep(0.05)
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
