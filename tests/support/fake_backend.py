"""A backend without a model: whatever a test wants it to do, it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trtdebug.backends.base import Availability, BuildRequest, Feeds
from trtdebug.core.case import BuildOptions
from trtdebug.core.outcome import EngineInfo
from trtdebug.oracle.tolerance import Limits
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.tensors import TensorStore

Compute = Callable[[Feeds], dict[str, np.ndarray]]


@dataclass
class FakeEngine:
    compute: Compute
    engine_info: EngineInfo
    runs: int = 0
    closed: int = 0

    def run(self, feeds: Feeds) -> dict[str, np.ndarray]:
        self.runs += 1
        return self.compute(feeds)

    def info(self) -> EngineInfo:
        return self.engine_info

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeBackend:
    """Computes y = x + 1 by default.

    Attributes:
        on_build: raises what a build is to raise.
        requests, engines: what was asked for, and what came of it.
    """

    compute: Compute = lambda feeds: {"y": np.asarray(feeds["x"]) + 1}
    engine_info: EngineInfo = field(default_factory=lambda: EngineInfo("fake", "1"))
    on_build: Callable[[BuildRequest], None] = lambda request: None
    name: str = "fake"
    summary: str = "for tests"
    realises: frozenset[str] = frozenset({"PinPrecision"})
    deterministic: bool = True
    requests: list[BuildRequest] = field(default_factory=list)
    engines: list[FakeEngine] = field(default_factory=list)

    def probe(self) -> Availability:
        return Availability(True, "1")

    def build(self, request: BuildRequest) -> FakeEngine:
        self.requests.append(request)
        self.on_build(request)
        self.engines.append(FakeEngine(self.compute, self.engine_info))
        return self.engines[-1]


def store_samples(folder: Path, samples: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """The samples' tensors, as the reference would have left them."""
    store = TensorStore(folder / "tensors")
    for sample, tensors in samples.items():
        for name, value in tensors.items():
            store.put(sample, TensorRef(name), np.asarray(value))


def job(**fields: object) -> Job:
    """A job that feeds x and expects y, one sample named "0"."""
    defaults: dict[str, object] = {
        "purpose": "test",
        "backend": "fake",
        "model": "model.onnx",
        "model_sha256": "00",
        "inputs_sha256": "11",
        "samples": ("0",),
        "options": BuildOptions(precision="fp16"),
        "limits": Limits(rms=1e-2),
        "feeds": {"x": TensorRef("x")},
        "expected": {"y": TensorRef("y")},
    }
    return Job(**(defaults | fields))  # type: ignore[arg-type]
