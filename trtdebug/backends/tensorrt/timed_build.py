"""Builds with the timings of earlier builds, and without them where TensorRT trips over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtdebug.backends.tensorrt.constraints import OutOfGpuMemory
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import BuildFailure


class TimedBuild:
    """The timing cache of one network's builds.

    TensorRT 8.6 now and then fails to read back its own cache ("myelinCache.h::deserializeFromBuffer"): that says
    nothing of the model. So the first build that fails with a cache is done once more without it.

    Args:
        file: where the timings lie; None = every tactic is timed anew.

    Attributes:
        note: one line about a cache that broke a build; empty when none did.
    """

    def __init__(self, file: TimingCacheFile | None) -> None:
        self._file = file
        self._tried_without = False
        self.note = ""

    def build(self, attempt: Callable[[bytes], Any]) -> Any:
        """What `attempt` gives.

        Args:
            attempt: builds once, from a serialised timing cache or b""; raises BuildFailure.

        Raises:
            BuildFailure: of the last attempt.
        """
        timings = self._file.read()[0] if self._file is not None else b""
        try:
            return attempt(timings)
        except OutOfGpuMemory:
            raise
        except BuildFailure as failure:
            if self._file is None or not timings or self._tried_without:
                raise
            with_timings = failure
        self._tried_without = True
        try:
            engine = attempt(b"")
        except BuildFailure as without:
            if without.message != with_timings.message:
                self._file.drop()
            raise
        self.note = f"the timing cache was left out, the build failed with it: {with_timings.message}"
        return engine

    def keep(self, config: Any) -> None:
        """Writes the timings that a trt.IBuilderConfig holds after a build."""
        if self._file is None:
            return
        cache = config.get_timing_cache()
        if cache is not None:
            with cache.serialize() as content:
                self._file.write(bytes(content))
