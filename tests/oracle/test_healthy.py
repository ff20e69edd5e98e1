"""At the defaults no healthy FP16 network is called wrong, and no planted fault is missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from emulated import emulated, reference, saved
from healthy_graphs import FAMILIES, FAULTS, SIZES, faulty_graph, healthy_graph, sample

from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.core.outcome import TensorError
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import limits

RULE = limits(Tolerance(), BuildOptions("fp16"))
SEEDS = range(10)  # times four families and five sizes: 200 networks
Judge = Callable[[onnx.ModelProto, onnx.ModelProto, str, int], TensorError]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """`judge(model, built, family, seed)`: the output of `built` in emulated FP16 against `model` in FP32."""

    def run(model: onnx.ModelProto, built: onnx.ModelProto, family: str, seed: int) -> TensorError:
        feeds = sample(family, seed)
        expected = reference(saved(model, tmp_path), tmp_path, feeds)
        found = emulated(saved(built, tmp_path), tmp_path, feeds)
        assert np.isfinite(expected["y"]).all()
        return compare("y", expected["y"], found["y"], RULE)

    return run


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_networks_pass(family: str, size: int, judge: Judge) -> None:
    for seed in SEEDS:
        model = healthy_graph(family, seed, size)
        error = judge(model, model, family, seed)
        assert error.status == "pass", (seed, error.reason)
        assert error.rms_rel > 0, "an emulator that does not round shows nothing"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_planted_faults_fail(family: str, fault: str, judge: Judge) -> None:
    for seed, size in enumerate(SIZES):
        broken = faulty_graph(family, seed, size, fault)
        # a fault of the numbers is in both models and shows in FP16 only; one of a kernel is the candidate's own
        model = broken if fault in ("overflow", "vanishing") else healthy_graph(family, seed, size)
        assert judge(model, broken, family, seed).status == "fail", seed
