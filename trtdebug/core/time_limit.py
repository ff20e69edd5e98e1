"""Breaks off Python code that takes too long."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
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


def time_limit(
    seconds: float, ours: Collection[FrameType] = (), keeper: str = __name__
) -> AbstractContextManager[None]:
    """Raises `TookTooLong` in what takes longer, where `can_limit`; a call into C that never returns stays.

    Code that catches even that is told again, and from then on each of its lines raises.

    Args:
        ours: frames that are not to blame (see `frames`): their lines do not raise. Default: those there now.
        keeper: the module that enters and leaves this, where `ours` does not do so itself: nothing raises in it.
    """
    return _Limit(seconds, ours or frames(), keeper) if can_limit() else nullcontext()


class _Limit:
    """What is broken off must not be the way out of it: then the alarm would stay on, for whatever comes next."""

    def __init__(self, seconds: float, ours: Collection[FrameType], keeper: str) -> None:
        self.seconds, self.ours = seconds, ours
        self.ways_out = frozenset(("contextlib", __name__, keeper))
        self.told = 0

    def __enter__(self) -> None:
        self.tracer, self.handler = sys.gettrace(), signal.signal(signal.SIGALRM, self._stop)
        self.started = time.monotonic()
        self.others, self.interval = signal.setitimer(signal.ITIMER_REAL, self.seconds, _AGAIN)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.told > 1:
            sys.settrace(self.tracer)  # before any other Python code, of which each line may raise
        signal.signal(signal.SIGALRM, self.handler)
        if self.others:  # somebody else's alarm: it comes when it would have come
            left = max(self.others - (time.monotonic() - self.started), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, self.interval)

    def _is_on_the_way_out(self, frame: FrameType | None) -> bool:
        """Whether there is nothing between our own frames and this one but what enters and leaves."""
        if frame in self.ours:
            return False
        while frame is not None and frame not in self.ours:
            if frame.f_globals.get("__name__") not in self.ways_out:
                return False
            frame = frame.f_back
        return True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._is_on_the_way_out(frame):
            return  # it has ended just now
        self.told += 1
        if self.told > 1:
            _raise_at_the_next_line(frame, self.ours, self.ways_out)
            signal.setitimer(signal.ITIMER_REAL, _SOON, _SOON)  # so it hits the outer of two loops, too
        raise TookTooLong


def _raise_at_the_next_line(
    frame: FrameType | None, ours: Collection[FrameType], ways_out: Collection[str]
) -> None:
    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        # one raise ends the tracing: not for the exception that is on its way
        if event == "line" and frame.f_globals.get("__name__") not in ways_out:
            raise TookTooLong
        return trace

    while frame is not None and frame not in ours:
        frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)
