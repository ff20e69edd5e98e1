"""A builder configuration whose editable timing cache behaves as TensorRT's header says; keys and values are real.

Runs where `tensorrt` is the bindings of 10 or 11: a real cache can't be had without a GPU.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import tensorrt as trt

from trtdebug.backends.tensorrt.logger import trt_logger


class FakeCache:
    """What trt.ITimingCache does. `refuses`: keys whose entries it does not let anybody change."""

    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        self.entries: dict[str, tuple[int, float]] = {}
        self._refuses = refuses

    def queryKeys(self) -> list[Any]:
        return [trt.TimingCacheKey.parse(key) for key in self.entries]

    def query(self, key: Any) -> Any:
        return trt.TimingCacheValue(*self.entries.get(str(key), (2**64 - 1, -1.0)))

    def update(self, key: Any, value: Any) -> bool:
        wrong = value.timingMSec < 0 or value.tacticHash == 2**64 - 1
        if str(key) not in self.entries or str(key) in self._refuses or wrong:
            return False
        if math.isnan(value.timingMSec):
            del self.entries[str(key)]
        else:
            self.entries[str(key)] = value.tacticHash, value.timingMSec
        return True

    @contextlib.contextmanager
    def serialize(self) -> Iterator[bytes]:
        yield repr(sorted(self.entries.items())).encode()


class FakeConfig:
    """What trt.IBuilderConfig does with a timing cache."""

    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        self.flags: set[str] = set()
        self._cache: FakeCache | None = None
        self._refuses = refuses

    def set_flag(self, flag: Any) -> None:
        self.flags.add(flag.name)

    def create_timing_cache(self, content: bytes) -> FakeCache:
        assert content == b""
        return FakeCache(self._refuses)

    def set_timing_cache(self, cache: FakeCache, ignore_mismatch: bool) -> bool:
        self._cache = cache
        return not ignore_mismatch

    def get_timing_cache(self) -> FakeCache | None:
        return self._cache


def autotunes(
    config: FakeConfig, log: str, chosen: dict[str, str], forgets: bool = False
) -> Callable[[], bytes]:
    """A build. The first fills the cache with `chosen` (tactic by key) and logs; later ones read the cache.

    Args:
        forgets: later builds time everything anew.
    """

    def serialise() -> bytes:
        cache = config.get_timing_cache()
        assert cache is not None
        if forgets or not cache.entries:
            cache.entries |= {key: (int(tactic, 16), 0.01) for key, tactic in chosen.items()}
            for line in log.split("\n"):
                trt_logger().log(trt.ILogger.Severity.VERBOSE, line)
        return repr(sorted(cache.entries.items())).encode()

    return serialise
