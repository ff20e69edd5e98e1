"""Builds with the timings of earlier builds, and without them where TensorRT trips over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import BuildFailure


class RefusedTimings(BuildFailure):
    """A build that failed, and all that TensorRT complains of is its timing cache: no word on what was asked."""


class TimedBuild:
    """The timing cache of one network's builds.

    Args:
        file: where the timings lie; None = every tactic is timed anew.

    Attributes:
        note: one line about a cache that broke a build; empty when none did.
    """

    def __init__(self, file: TimingCacheFile | None) -> None:
        self._file = file
        self._began_with = b""
        self.note = ""

    def build(self, attempt: Callable[[bytes], Any]) -> Any:
        """What `attempt` gives. Where it fails for its timing cache, that is removed, and it is done once more.

        Args:
            attempt: builds once, from a serialised timing cache or b""; raises BuildFailure.

        Raises:
            BuildFailure: of the last attempt.
        """
        timings = self._file.read()[0] if self._file is not None else b""
        try:
            return self._attempt(attempt, timings)
        except RefusedTimings as refused:
            if self._file is None or not timings:
                raise
            told = refused.message
        self._file.drop()
        engine = self._attempt(attempt, b"")
        self.note = f"the timing cache was left out, the build failed with it: {told}"
        return engine

    def _attempt(self, attempt: Callable[[bytes], Any], timings: bytes) -> Any:
        self._began_with = timings
        return attempt(timings)

    def keep(self, config: Any) -> None:
        """Writes the timings that a trt.IBuilderConfig holds after a build, with those that others wrote meanwhile."""
        if self._file is None:
            return
        cache = config.get_timing_cache()
        if cache is not None:
            self._file.update(self._began_with, lambda others: _with(config, cache, others))


def _with(config: Any, cache: Any, others: bytes) -> bytes:
    """The timings of a trt.ITimingCache and of a serialised one; without those where TensorRT does not take them."""
    if others:
        theirs = config.create_timing_cache(others)
        if theirs is not None:
            cache.combine(theirs, ignore_mismatch=False)
    with cache.serialize() as content:
        return bytes(content)
