"""A timing cache that breaks a build is left out, and nothing else is blamed for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from trtdebug.backends.tensorrt.constraints import OutOfGpuMemory
from trtdebug.backends.tensorrt.timed_build import RefusedTimings, TimedBuild, Timings
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

    def __call__(self, timings: Timings) -> str:
        self.made.append(timings.content)
        if self.outcomes[bool(timings.content)]:
            raise self.kind(self.outcomes[bool(timings.content)])
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


class Cache:
    """A trt.ITimingCache whose timings are the letters of its content."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def combine(self, other: Cache, ignore_mismatch: bool) -> bool:
        self.content = bytes(sorted({*self.content, *other.content}))
        return not ignore_mismatch

    @contextmanager
    def serialize(self) -> Iterator[memoryview]:
        yield memoryview(self.content)


@dataclass
class Config:
    """A trt.IBuilderConfig. `accepts`: whether it makes a cache of what others wrote."""

    cache: Cache | None
    accepts: bool = True

    def get_timing_cache(self) -> Cache | None:
        return self.cache

    def create_timing_cache(self, content: bytes) -> Cache | None:
        return Cache(content) if self.accepts else None


def timed(file: TimingCacheFile, new: bytes, accepts: bool = True, meanwhile: bytes = b"") -> None:
    """A build that times what `new` says, while another one may write `meanwhile`."""

    def attempt(timings: Timings) -> None:
        if meanwhile:
            file.write(meanwhile)
        timings.keep(Config(Cache(bytes(sorted({*timings.content, *new}))), accepts))

    TimedBuild(file).build(attempt)


def test_timings_are_added_to_those_before(file: TimingCacheFile) -> None:
    file.write(b"ab")
    timed(file, b"c")
    assert file.read() == (b"abc", "")


def test_timings_of_builds_at_the_same_time_come_together(file: TimingCacheFile) -> None:
    file.write(b"ab")
    timed(file, b"c", meanwhile=b"abde")
    assert file.read() == (b"abcde", "")


def test_timings_of_others_that_tensorrt_does_not_take_are_left_out(file: TimingCacheFile) -> None:
    file.write(b"ab")
    timed(file, b"c", accepts=False, meanwhile=b"abde")
    assert file.read() == (b"abc", "")


def test_a_config_without_timings_leaves_the_file(file: TimingCacheFile) -> None:
    TimedBuild(file).build(lambda timings: timings.keep(Config(None)))
    assert file.read() == (b"timings", "")
