"""Builds with the timings of earlier builds, and without them where TensorRT trips over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import BuildFailure


class RefusedTimings(BuildFailure):
    """A build that failed, and all that TensorRT complains of is its timing cache: no word on what was asked."""


@dataclass(frozen=True)
class Timings:
    """What one build begins with.

    Attributes:
        content: a serialised timing cache, or b"".
        file: where what the build times anew goes; None = nowhere.
    """

    content: bytes
    file: TimingCacheFile | None

    def keep(self, config: Any) -> None:
        """Writes the timings of a trt.IBuilderConfig after the build, with those that others wrote meanwhile."""
        cache = config.get_timing_cache() if self.file is not None else None
        if self.file is not None and cache is not None:
            self.file.update(self.content, lambda others: _with(config, cache, others))


class TimedBuild:
    """The timing cache of one network's builds.

    Args:
        file: where the timings lie; None = every tactic is timed anew.

    Attributes:
        note: one line about a cache that broke a build; empty when none did.
    """

    def __init__(self, file: TimingCacheFile | None) -> None:
        self._file = file
        self.note = ""

    def build(self, attempt: Callable[[Timings], Any]) -> Any:
        """What `attempt` gives. Where it fails for its timing cache, that is removed, and it is done once more.

        Args:
            attempt: builds once; raises BuildFailure.

        Raises:
            BuildFailure: of the last attempt.
        """
        content = self._file.read()[0] if self._file is not None else b""
        try:
            return attempt(Timings(content, self._file))
        except RefusedTimings as refused:
            if self._file is None or not content:
                raise
            told = refused.message
        self._file.drop()
        engine = attempt(Timings(b"", self._file))
        self.note = f"the timing cache was left out, the build failed with it: {told}"
        return engine


def _with(config: Any, cache: Any, others: bytes) -> bytes:
    """The timings of a trt.ITimingCache and of a serialised one; without those where TensorRT does not take them."""
    if others:
        theirs = config.create_timing_cache(others)
        if theirs is not None:
            cache.combine(theirs, ignore_mismatch=False)
    with cache.serialize() as content:
        return bytes(content)
