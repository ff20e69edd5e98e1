"""The one TensorRT logger of this process.

TensorRT keeps the first logger that it is given and ignores all others, so there is one, it never changes,
and it forwards to a sink that can be swapped for each build.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_KEPT_ERRORS = 50
_said = logging.getLogger("trtdebug.tensorrt")  # a worker prints it to the trial's log, line by line
_said.addHandler(logging.NullHandler())


class LogSink:
    """Keeps the first errors. Safe to call from TensorRT's threads."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.listener: Callable[[str], None] | None = None

    @contextmanager
    def heard(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Within, `listener` is called with each message that is less than a warning, by TensorRT's threads."""
        self.listener = listener
        try:
            yield
        finally:
            self.listener = None

    def add(self, severity: str, message: str) -> None:
        """Takes one message; `severity` is a member name of trt.ILogger.Severity."""
        if severity in ("ERROR", "INTERNAL_ERROR") and len(self.errors) < _KEPT_ERRORS:
            self.errors.append(message)

    def first_error(self) -> str:
        """The first error on one line, without TensorRT's source position; empty when there was none."""
        return clean(self.errors[0]) if self.errors else ""


def clean(message: str) -> str:
    """A TensorRT message on one line."""
    return " ".join(message.split())


_sink = LogSink()


@contextmanager
def collected() -> Iterator[LogSink]:
    """Everything that TensorRT says within goes to the sink that this gives."""
    global _sink
    before, _sink = _sink, LogSink()
    try:
        yield _sink
    finally:
        _sink = before


@cache
def trt_logger() -> Any:
    """The process's trt.ILogger."""
    import tensorrt as trt

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # without it TensorRT raises a TypeError

        def log(self, severity: Any, message: str) -> None:
            # At INFO and VERBOSE a build says thousands of lines; none of them is kept, unless somebody listens.
            name = getattr(severity, "name", str(severity))
            if name in ("WARNING", "ERROR", "INTERNAL_ERROR"):
                _sink.add(name, message)
                _said.warning("[TensorRT %s] %s", name, message)
            elif _sink.listener is not None:
                _sink.listener(message)

    return Logger()


def share_logger() -> Any:
    """The process's trt.ILogger, which Polygraphy is made to use too."""
    from polygraphy.backend.trt import util as polygraphy_util

    polygraphy_util.TRT_LOGGER = trt_logger()
    return trt_logger()


@contextmanager
def quiet_polygraphy() -> Iterator[None]:
    """Within, Polygraphy prints nothing, not even what it raises."""
    from polygraphy.logger import G_LOGGER

    with G_LOGGER.verbosity(G_LOGGER.CRITICAL + 1):
        yield
