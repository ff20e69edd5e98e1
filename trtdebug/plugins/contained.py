"""Keeps what an extension does to this process within bounds: its time, its output, its ways out."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from trtdebug.core.time_limit import can_limit, frames, time_limit

P = ParamSpec("P")
R = TypeVar("R")

SECONDS_VARIABLE = "TRTDEBUG_PLUGIN_SECONDS"
_SECONDS = 120.0
_SHOWN = 60


class Exited(BaseException):
    """Raised in place of os._exit, which would end this process without a word."""


class Contained:
    """An extension at work, in the main thread; elsewhere nothing is bounded.

    Attributes:
        printed: bytes that it wrote to stdout, and how they begin.
    """

    def __init__(self, seconds: float) -> None:
        self.printed, self.begins = 0, b""
        self._left, self._frames, self._bounds = seconds, frames(), ExitStack()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Within, it works."""
        if not can_limit():
            yield
            return
        _at_work.append(self)
        self._start()
        try:
            yield
        finally:
            self._stop()
            _at_work.remove(self)

    def _start(self) -> None:
        self._bounds.enter_context(_no_exit())
        self._bounds.enter_context(self._stdout_kept())
        self._started = time.monotonic()
        self._bounds.enter_context(time_limit(max(self._left, 1e-3), self._frames, __name__))

    def _stop(self) -> None:
        self._bounds.close()
        self._left -= time.monotonic() - self._started

    @contextmanager
    def _stdout_kept(self) -> Iterator[None]:
        kept, text = _kept()
        with _flowing_to(kept.fileno()), contextlib.redirect_stdout(text):
            yield
        text.flush()
        size = os.fstat(kept.fileno()).st_size
        if size:
            kept.seek(0)
            self.begins = self.begins or kept.read(_SHOWN)
            self.printed += size
            kept.seek(0)
            kept.truncate()


_at_work: list[Contained] = []
"""The innermost last."""


def seconds() -> float:
    """How long a hook, and what it returned, may take where nothing else is said."""
    try:
        return float(os.environ[SECONDS_VARIABLE])
    except (KeyError, ValueError):
        return _SECONDS


@contextmanager
def on_our_time() -> Iterator[None]:
    """Within, trtdebug works for the extension that called it: its clock stands still, stdout is ours."""
    if not (_at_work and can_limit()):
        yield
        return
    contained = _at_work[-1]
    contained._stop()
    try:
        yield
    finally:
        contained._start()


def ours(function: Callable[P, R]) -> Callable[P, R]:
    """A function of ours, to be given to an extension: what it takes is not the extension's time."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with on_our_time():
            return function(*args, **kwargs)

    return called


@contextmanager
def _no_exit() -> Iterator[None]:
    leave, process = os._exit, os.getpid()

    def refused(status: int) -> None:
        if os.getpid() != process:  # a child that was forked ends so
            leave(status)
        raise Exited(f"os._exit({status})")

    os._exit = refused  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave


@contextmanager
def _flowing_to(descriptor: int) -> Iterator[None]:
    """What goes to file descriptor 1 goes to this one; of children, too."""
    with contextlib.suppress(AttributeError, ValueError, OSError):  # there may be no stdout
        sys.stdout.flush()
    try:
        stdout = os.dup(1)
    except OSError:
        yield
        return
    os.dup2(descriptor, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


@lru_cache(maxsize=1)
def _kept() -> tuple[io.FileIO, io.TextIOWrapper]:
    """A file for all of this process: an extension may keep the stream, in a logger say, and write to it later."""
    raw = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is for good
    return raw, io.TextIOWrapper(io.BufferedWriter(raw), errors="backslashreplace", write_through=True)
