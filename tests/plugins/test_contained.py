"""What an extension does to the process is kept within bounds."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from trtdebug.core.time_limit import TookTooLong
from trtdebug.plugins.contained import Contained, Exited, on_our_time, ours


def printed(work) -> tuple[int, bytes]:
    bounds = Contained(60)
    with bounds.working():
        work()
    return bounds.printed, bounds.begins


@pytest.mark.parametrize(
    "work",
    [
        lambda: print("hello"),
        lambda: sys.stdout.buffer.write(b"hello\n"),
        lambda: os.write(1, b"hello\n"),
        lambda: subprocess.run(["echo", "hello"], check=True),
    ],
)
def test_stdout_stays_empty(work, capfd):
    assert printed(work) == (6, b"hello\n")
    assert capfd.readouterr().out == ""
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_binary_is_counted_and_its_beginning_kept(capfd):
    assert printed(lambda: os.write(1, bytes(range(256)) * 9)) == (2304, bytes(range(60)))
    assert capfd.readouterr().out == ""


def test_a_stream_that_was_kept_still_takes_lines(capfd):
    logger = logging.getLogger("kept")
    printed(lambda: logger.addHandler(logging.StreamHandler(sys.stdout)))
    logger.warning("later")
    assert "Error" not in capfd.readouterr().err


def test_the_process_cannot_be_ended():
    leave = os._exit
    with pytest.raises(Exited, match=r"os\._exit\(3\)"), Contained(60).working():
        os._exit(3)
    assert os._exit is leave


def test_a_forked_child_can():
    with Contained(60).working():
        child = os.fork()
        if not child:
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5


def test_what_it_asks_of_us_is_not_its_time(capfd):
    @ours
    def asked():
        time.sleep(0.1)
        print("ours")

    bounds = Contained(0.08)
    with bounds.working():
        asked()
        print("its own")
    assert (bounds.printed, capfd.readouterr().out) == (8, "ours\n")

    def more():
        asked()
        time.sleep(60)

    bounds = Contained(0.05)
    with pytest.raises(TookTooLong), bounds.working():
        more()


def test_its_time_goes_on_where_it_stood():
    def work():
        for _ in range(100):
            time.sleep(0.01)
            with on_our_time():
                pass

    with pytest.raises(TookTooLong), Contained(0.1).working():
        work()


def test_alarms_that_come_while_it_stops_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # One may hit what ends an object, where Python passes over it; pytest, which tells of it, would be hit by the next.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    handler, tracer = signal.getsignal(signal.SIGALRM), sys.gettrace()
    others = signal.setitimer(signal.ITIMER_REAL, 0)  # such as that of the test's own time limit
    try:
        for number in range(1000):
            with contextlib.suppress(TookTooLong), Contained(60).working():
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + number % 100), 1e-3)
            assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
            assert signal.getsignal(signal.SIGALRM) is handler
            assert sys.gettrace() is tracer
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
