"""Latencies: kept engines, in turns, medians."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from fake_backend import FakeBackend, FakeEngine, job, store_samples

from trtdebug.backends.base import BuildRequest, Feeds
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo
from trtdebug.session.executor import InProcess
from trtdebug.session.perform import perform
from trtdebug.session.session import Session
from trtdebug.session.timing import engine_file


@dataclass
class Timed(FakeEngine):
    """An engine whose inferences take what `times` says."""

    times: Callable[[], float] = lambda: 1.0

    def stopwatch(self, feeds: Feeds) -> Callable[[], float]:
        self.compute(feeds)
        return self.times


@dataclass
class Loads(FakeBackend):
    """Loads engines by the name of the trial that they are kept in; others do not load."""

    kept: Mapping[str, FakeEngine] = field(default_factory=dict)

    def build(self, request: BuildRequest) -> FakeEngine:
        trial = request.model.parent.name
        if trial not in self.kept:
            raise BuildFailure("made by another TensorRT.")
        return self.kept[trial]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store_samples(tmp_path, {"0": {"x": np.float32([1, 2]), "y": np.float32([2, 3])}})
    return tmp_path


def timed(times: Callable[[], float]) -> Timed:
    return Timed(lambda feeds: {"y": feeds["x"] + 1}, EngineInfo("fake", "1"), times=times)


def keep(folder: Path, *trials: str) -> None:
    for trial in trials:
        path = engine_file(folder, trial)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"engine")


def timing(*trials: str, runs: int = 20):
    return job(role="timing", expected=None, timed=trials, time_runs=runs)


def test_each_round_runs_every_engine_once_and_the_first_ones_do_not_count(folder: Path) -> None:
    order: list[str] = []

    def times(name: str, warm: float) -> Callable[[], float]:
        values = itertools.chain([1000.0] * 10, itertools.repeat(warm))
        return lambda: (order.append(name), next(values))[1]

    keep(folder, "a", "b")
    backend = Loads(kept={"a": timed(times("a", 2.0)), "b": timed(times("b", 3.0))})
    outcome = perform(timing("a", "b"), backend, folder)
    assert (outcome.status, outcome.latencies_ms) == ("pass", (2.0, 3.0))
    rounds = [tuple(order[i : i + 2]) for i in range(0, len(order), 2)]
    assert len(rounds) == 30
    assert set(rounds) == {("a", "b"), ("b", "a")}
    assert [e.closed for e in backend.kept.values()] == [1, 1]


def test_the_median_counts(folder: Path) -> None:
    keep(folder, "a")
    values = itertools.chain([0.0] * 10, itertools.cycle([1.0, 50.0, 2.0]))
    backend = Loads(kept={"a": timed(lambda: next(values))})
    assert perform(timing("a", runs=21), backend, folder).latencies_ms == (2.0,)


def test_what_was_not_kept_does_not_load_or_does_not_run_is_unknown(folder: Path) -> None:
    def fails() -> float:
        raise BuildFailure("CUDA lost the device.")

    keep(folder, "old", "broken", "good")
    backend = Loads(kept={"broken": timed(fails), "good": timed(lambda: 1.5)})
    outcome = perform(timing("absent", "old", "broken", "good"), backend, folder)
    assert outcome.latencies_ms == (None, None, None, 1.5)
    assert outcome.reason.split("; ") == [
        "fake kept no engine that could be timed.",
        "made by another TensorRT.",
        "CUDA lost the device.",
    ]


def test_without_a_stopwatch_of_its_own_an_engine_is_timed_from_host_to_host(folder: Path) -> None:
    keep(folder, "a")
    engine = FakeEngine(lambda feeds: {"y": feeds["x"] + 1}, EngineInfo("fake", "1"))
    [latency] = perform(timing("a"), Loads(kept={"a": engine}), folder).latencies_ms
    assert latency is not None
    assert 0 < latency < 1000
    assert engine.runs == 30


def test_timing_is_no_trial_and_is_not_done_twice(folder: Path) -> None:
    keep(folder, "a")
    backend = Loads(kept={"a": timed(lambda: 1.0)})
    session = Session(folder, InProcess(folder, {"fake": backend}))
    first = session.run(timing("a"))
    session.drop_engines()
    assert not engine_file(folder, "a").exists()
    assert session.run(timing("a")) == first
    assert (session.counts.total, session.counts.builds) == (0, 0)


def test_an_engine_is_kept_where_the_job_says_so(folder: Path) -> None:
    backend = FakeBackend()
    perform(job(), backend, folder)
    kept = job(keep_engine=True)
    perform(kept, backend, folder)
    assert [r.engine_file for r in backend.requests] == [None, engine_file(folder, kept.sha256)]
