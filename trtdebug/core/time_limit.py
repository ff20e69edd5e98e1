"""Breaks off Python code that takes too long."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_AGAIN, _SOON = 0.5, 0.001  # seconds; code that catches everything is told again, and then again and again


class TookTooLong(BaseException):
    """Raised in the code that is broken off. No Exception, since code that waits in a loop tends to catch those."""


def can_limit() -> bool:
    """Whether `time_limit` does anything here: it needs the main thread of a system with timers."""
    return threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")


def frames() -> frozenset[FrameType]:
    """The frames on this thread's stack."""
    found: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return frozenset(found)


@contextmanager
def time_limit(seconds: float, ours: Collection[FrameType] = ()) -> Iterator[None]:
    """Raises `TookTooLong` in what takes longer, where `can_limit`; a call into C that never returns stays.

    Code that catches even that is told again, and from then on each of its lines raises.

    Args:
        ours: frames that are not to blame (see `frames`): their lines do not raise. Default: those there now.
    """
    if not can_limit():
        yield
        return
    ours = ours or frames()
    told = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if frame is not None and frame.f_globals is globals():
            return  # it has ended just now
        told += 1
        if told > 1:
            _raise_at_the_next_line(frame, ours)
            signal.setitimer(signal.ITIMER_REAL, _SOON, _SOON)  # so it hits the outer of two loops, too
        raise TookTooLong

    tracer, handler = sys.gettrace(), signal.signal(signal.SIGALRM, stop)
    started = time.monotonic()
    others, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if told > 1:
            sys.settrace(tracer)
        if others:  # somebody else's alarm: it comes when it would have come
            signal.setitimer(signal.ITIMER_REAL, max(others - (time.monotonic() - started), 1e-3), interval)


def _raise_at_the_next_line(frame: FrameType | None, ours: Collection[FrameType]) -> None:
    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":  # one raise ends the tracing: not for the exception that is on its way
            raise TookTooLong
        return trace

    while frame is not None and frame not in ours:
        frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)
