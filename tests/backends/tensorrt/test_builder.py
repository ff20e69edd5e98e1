"""What comes of a build that fails. TensorRT's own is replaced by `Fails`: it cannot be had without a GPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polygraphy.exception
import pytest

from trtdebug.backends.tensorrt import builder, compat
from trtdebug.backends.tensorrt.builder import NetworkBuilder
from trtdebug.backends.tensorrt.constraints import OutOfGpuMemory
from trtdebug.backends.tensorrt.logger import LogSink
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import BuildFailure

MEMORY = (
    "2: [virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: OutOfMemory (no further information)"
)
MYELIN = (
    "1: [myelinCache.h::deserializeFromBuffer::52] Error Code 1: Myelin (Myelin error from unknown graph)"
)
NOTHING = "10: Could not find any implementation for node {ForeignNode[a...b]}."


class Fails:
    """A builder that says `errors` and builds nothing while `says` (timings, constraints) gives any."""

    def __init__(self, log: LogSink, says: Callable[[bytes, str | None], list[str]]) -> None:
        self.log, self.says = log, says
        self.asked: list[tuple[bytes, str | None]] = []

    def create_config(self, plan, builder, network, timings, constraints, calibration, selector) -> Any:
        self.asked.append((timings, constraints))
        return SimpleNamespace(
            get_timing_cache=lambda: None, errors=self.says(timings, constraints), calibration=calibration
        )

    def serialise(self, network: Any, config: Any) -> bytes:
        self.log.errors.extend(config.errors)
        if config.errors:
            raise polygraphy.exception.PolygraphyException("Invalid Engine")
        return b"engine"


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[NetworkBuilder, Fails]]:
    """A builder on TensorRT 10, where booleans need no conversion."""

    def make(says: Callable[[bytes, str | None], list[str]], timings: TimingCacheFile | None = None):
        log = LogSink()
        fake = Fails(log, says)
        loaders = SimpleNamespace(engine_bytes_from_network=fake.serialise, engine_from_bytes=bytes.decode)
        monkeypatch.setitem(sys.modules, "polygraphy.backend.trt", loaders)
        monkeypatch.setattr(builder, "create_config", fake.create_config)
        monkeypatch.setattr(compat, "installed", lambda: "10.16.1")
        plan, parsed = SimpleNamespace(calibration=None), SimpleNamespace(builder=None, network=None)
        made = NetworkBuilder(plan, parsed, log, {"a_layer": "a"}, timings)  # type: ignore[arg-type]
        return made, fake

    return make


@pytest.mark.parametrize(
    "said", [MEMORY, "1: CUDA runtime error: out of memory", "Cuda error: cudaErrorMemoryAllocation"]
)
def test_constraints_are_not_relaxed_for_want_of_memory(said: str, fails) -> None:
    made, fake = fails(lambda timings, constraints: ["no idea", said])
    with pytest.raises(OutOfGpuMemory) as failure:
        made.build({"a_layer": 0})
    assert failure.value.message == f"TensorRT does not build it: {said}"
    assert fake.asked == [(b"", "obey")]


def test_constraints_are_relaxed_for_other_failures(fails) -> None:
    made, fake = fails(lambda timings, constraints: [NOTHING] if constraints == "obey" else [])
    engine, notes = made.build({"a_layer": 0})
    assert engine == "engine"
    assert [n[: n.index(":")] for n in notes] == ["precision constraints relaxed from OBEY to PREFER"]
    assert fake.asked == [(b"", "obey"), (b"", "prefer")]


def test_a_timing_cache_that_breaks_the_build_is_left_out_before_anything_is_relaxed(
    fails, tmp_path: Path
) -> None:
    cache = TimingCacheFile(tmp_path / "timing.cache", "TensorRT 8.6.0 on H200")
    cache.write(b"timings")
    made, fake = fails(lambda timings, constraints: [MYELIN] if timings else [], cache)
    engine, notes = made.build({"a_layer": 0})
    assert engine == "engine"
    assert fake.asked == [(b"timings", "obey"), (b"", "obey")]
    assert [MYELIN in n for n in notes] == [True]


def test_what_is_said_of_the_timing_cache_is_no_reason_of_another_failure(fails, tmp_path: Path) -> None:
    """As by 8.6.0 on an H200, which says so in each build that is given a cache, whether it fails or not."""
    cache = TimingCacheFile(tmp_path / "timing.cache", "TensorRT 8.6.0 on H200")
    cache.write(b"timings")
    unused = "4: The timing cache will not be used!"
    made, fake = fails(lambda timings, constraints: [MYELIN, unused, NOTHING, MYELIN], cache)
    with pytest.raises(BuildFailure) as failure:
        made.build({})
    assert failure.value.message == f"TensorRT does not build it: {NOTHING}"
    assert fake.asked == [(b"timings", None)]
    assert cache.path.exists()


def test_a_failure_names_the_node_that_tensorrt_blames(fails) -> None:
    made, _ = fails(lambda timings, constraints: ["Could not find any implementation for node a_layer."])
    with pytest.raises(BuildFailure, match="for node a_layer") as failure:
        made.build({})
    assert failure.value.node == "a"


def test_the_engine_is_kept_where_it_is_asked_for(fails, tmp_path: Path) -> None:
    made, _ = fails(lambda timings, constraints: [])
    made.build({})
    assert list(tmp_path.iterdir()) == []
    kept = tmp_path / "trial" / "engine.plan"
    replace(made, engine_file=kept).build({})
    assert kept.read_bytes() == b"engine"


def test_a_failure_says_what_was_in_the_timing_cache(fails) -> None:
    made, _ = fails(lambda timings, constraints: ["tactic not supported"])
    editable = SimpleNamespace(told="'fc1': 0x1 (gemm)", build=lambda config, serialise: serialise())
    with pytest.raises(BuildFailure) as failure:
        replace(made, editable=editable).build({})  # type: ignore[arg-type]
    assert failure.value.message == (
        "TensorRT does not build it with 'fc1': 0x1 (gemm) in its timing cache: tactic not supported"
    )
