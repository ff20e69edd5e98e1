"""Jobs that ask for the time of each layer, and engines that refuse a precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from fake_backend import FakeBackend, FakeEngine, job, store_samples

from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.session.perform import perform


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    x = np.float32([1, 2])
    store_samples(tmp_path, {"0": {"x": x, "y": x + 1}})
    return tmp_path


@dataclass
class TimingEngine(FakeEngine):
    asked: list[tuple[list[str], int]] = field(default_factory=list)

    def profile(self, feeds, runs):
        self.asked.append((list(feeds), runs))
        return (LayerInfo("fc", milliseconds=0.25),)


class TimingBackend(FakeBackend):
    def build(self, request):
        super().build(request)
        self.engines[-1] = TimingEngine(self.compute, self.engine_info)
        return self.engines[-1]


def test_layers_are_timed_on_the_first_sample(folder: Path) -> None:
    backend = TimingBackend()
    outcome = perform(job(profile_runs=5), backend, folder)
    assert outcome.status == "pass"
    assert outcome.engine == EngineInfo("fake", "1", layers=(LayerInfo("fc", milliseconds=0.25),))
    assert backend.engines[0].asked == [(["x"], 5)]


def test_without_samples_the_engine_makes_up_its_inputs(folder: Path) -> None:
    backend = TimingBackend()
    outcome = perform(job(samples=(), feeds={}, expected=None, profile_runs=5), backend, folder)
    assert outcome.status == "pass"
    assert backend.engines[0].asked == [([], 5)]
    assert backend.engines[0].runs == 0


def test_an_engine_that_cannot_tell_says_so(folder: Path) -> None:
    outcome = perform(job(profile_runs=5), FakeBackend(), folder)
    assert outcome.status == "pass"
    assert outcome.engine is not None
    assert outcome.engine.notes == ("fake does not time layers",)


def test_the_folder_of_the_trial_is_where_a_build_leaves_what_is_worth_keeping(folder: Path) -> None:
    backend = FakeBackend()
    asked = job()
    perform(asked, backend, folder)
    assert backend.requests[0].artifacts == folder / "trials" / asked.sha256


def test_a_refused_precision_names_the_node_and_the_layer(folder: Path) -> None:
    layers = (LayerInfo("copy"), LayerInfo("conv1 + relu1", ("conv1", "relu1"), "fp16"))
    info = EngineInfo("fake", "1", layers=layers, refused=("relu1", "fc"))
    outcome = perform(job(), FakeBackend(engine_info=info), folder)
    assert (outcome.status, outcome.signature) == ("untestable", None)
    assert (
        "computes 'relu1' in another precision than asked: its layer 'conv1 + relu1' writes fp16"
        in outcome.reason
    )
    assert "(and 1 more nodes)" in outcome.reason
    assert outcome.engine == info
