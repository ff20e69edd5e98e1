"""A timing cache that breaks a build is left out, and nothing else is blamed for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trtdebug.backends.tensorrt.constraints import OutOfGpuMemory
from trtdebug.backends.tensorrt.timed_build import RefusedTimings, TimedBuild
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import BuildFailure

MYELIN = (
    "1: [myelinCache.h::deserializeFromBuffer::52] Error Code 1: Myelin (Myelin error from unknown graph)"
)


@pytest.fixture
def file(tmp_path: Path) -> TimingCacheFile:
    cache = TimingCacheFile(tmp_path / "timing.cache", "TensorRT 8.6.0 on H200")
    cache.write(b"timings")
    return cache


class Attempts:
    """Fails with what `outcomes` says: first for a build with timings, second for one without; "" = it builds."""

    def __init__(
        self, with_timings: str, without: str, kind: Callable[[str], BuildFailure] = RefusedTimings
    ) -> None:
        self.outcomes = {True: with_timings, False: without}
        self.kind = kind
        self.made: list[bytes] = []

    def __call__(self, timings: bytes) -> str:
        self.made.append(timings)
        if self.outcomes[bool(timings)]:
            raise self.kind(self.outcomes[bool(timings)])
        return "engine"


def test_a_build_that_succeeds_is_made_once(file: TimingCacheFile) -> None:
    builds, attempts = TimedBuild(file), Attempts("", "unused")
    assert builds.build(attempts) == "engine"
    assert (attempts.made, builds.note) == ([b"timings"], "")


def test_a_build_that_fails_of_its_timing_cache_is_made_once_more_without(file: TimingCacheFile) -> None:
    builds, attempts = TimedBuild(file), Attempts(MYELIN, "")
    assert builds.build(attempts) == "engine"
    assert attempts.made == [b"timings", b""]
    assert builds.note == f"the timing cache was left out, the build failed with it: {MYELIN}"
    assert not file.path.exists()


def test_a_cache_that_hid_another_failure_is_dropped_too(file: TimingCacheFile) -> None:
    builds = TimedBuild(file)
    with pytest.raises(BuildFailure, match="no implementation"):
        builds.build(Attempts(MYELIN, "no implementation"))
    assert not file.path.exists()
    assert builds.note == ""


@pytest.mark.parametrize("kind", [BuildFailure, OutOfGpuMemory])
def test_a_build_that_fails_for_another_reason_is_made_once(
    file: TimingCacheFile, kind: type[BuildFailure]
) -> None:
    builds, attempts = TimedBuild(file), Attempts("no implementation", "unused", kind)
    with pytest.raises(kind, match="no implementation"):
        builds.build(attempts)
    assert attempts.made == [b"timings"]
    assert file.read() == (b"timings", "")  # it was not at fault


def test_without_timings_there_is_nothing_to_leave_out(tmp_path: Path) -> None:
    for file in (None, TimingCacheFile(tmp_path / "none yet", "")):
        attempts = Attempts("unused", "no implementation")
        with pytest.raises(BuildFailure, match="no implementation"):
            TimedBuild(file).build(attempts)
        assert attempts.made == [b""]
