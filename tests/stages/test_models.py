"""The whole pipeline on real models: known faults are found and cured, healthy models are left alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import jobs_run_here, trtdebug

Find = Callable[[str], Path]
Run = Callable[..., tuple[int, dict[str, Any]]]

LAYER_NORM = "jax2tf_get_logits_/pjit_get_logits_/MagikaV2/LayerNorm_1"


@pytest.fixture(autouse=True, scope="module")
def here() -> Iterator[None]:
    with jobs_run_here():
        yield


@pytest.fixture
def run(model_path: Find, tmp_path: Path) -> Run:
    """`run(model, *options)`: exit code and report of `trtdebug run`."""

    def command(name: str, *options: object) -> tuple[int, dict[str, Any]]:
        line = ["run", model_path(name), *options, "--session", tmp_path / "session", "--json", "--quiet"]
        done = trtdebug(*line)
        assert done.stdout, done.stderr
        return done.code, json.loads(done.stdout)

    return command


def culprits(report: dict[str, Any]) -> set[str]:
    assert all(c["proven"] for c in report["culprits"])
    return {node for c in report["culprits"] for node in c["nodes"]}


@pytest.mark.parametrize("batch", [1, 4])
def test_magika_overflows_in_two_nodes_of_a_layer_norm(batch: int, run: Run) -> None:
    shape = f"bytes:[{batch},2048]"
    code, report = run("magika_standard_v3_3.onnx", "--fp16", "--input-shapes", shape)
    assert (code, report["verdict"]) == (1, "diverges")
    assert culprits(report) == {f"{LAYER_NORM}/Sum_1", f"{LAYER_NORM}/truediv_1"}
    assert report["first_divergence"]["node"] == f"{LAYER_NORM}/Sum_1"
    assert report["fixes"][-1]["verified"]
    assert set(report["fixes"][-1]["interventions"][0]["nodes"]) == culprits(report)
    assert report["repro"]["verified"]
    assert report["repro"]["nodes"] <= 6
    assert report["unknown"] == []


def test_needs_constraints(run: Run) -> None:
    """Polygraphy's example of FP16 overflow, for inputs in [1, 2]."""
    code, report = run("polygraphy/needs_constraints.onnx", "--fp16", "--val-range", "[1,2]")
    assert (code, report["verdict"]) == (1, "diverges")
    assert culprits(report) == {"Add", "Sub"}
    assert report["fixes"][-1]["verified"]
    assert report["repro"]["verified"]


def test_healthy_magika(run: Run) -> None:
    assert_healthy(*run("magika_standard_v3_3.onnx", "--bf16"))


def test_healthy_silero_static(run: Run) -> None:
    assert_healthy(*run("silero_vad_16k_static.onnx", "--fp16", "--val-range", "[-1,1]"))


@pytest.mark.parametrize("batch", [1, 3])
def test_healthy_silero_with_branches(batch: int, run: Run) -> None:
    """12 If nodes, a scalar input that has to be 16000, and a batch that two inputs share."""
    shapes = f"input:[{batch},576] state:[2,{batch},128]"
    ranges = "[-1,1] sr:[16000,16000]"
    assert_healthy(
        *run("silero_vad_16k_op15.onnx", "--fp16", "--input-shapes", shapes, "--val-range", ranges)
    )


@pytest.mark.parametrize("batch", [1, 2])
def test_healthy_residual_block(batch: int, run: Run) -> None:
    shape = f"gpu_0/data_0:[{batch},3,224,224]"
    assert_healthy(*run("polygraphy/residual_block.onnx", "--fp16", "--input-shapes", shape))


@pytest.mark.parametrize(
    ("precision", "batch", "length"), [("--fp16", 2, 64), ("--fp16", 1, 16), ("--bf16", 1, 16)]
)
def test_healthy_minilm(precision: str, batch: int, length: int, run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(100, 4096, (batch, length))
    mask = (np.arange(length) < rng.integers(length // 2, length, (batch, 1))).astype(np.int64)
    np.savez(tmp_path / "inputs.npz", input_ids=ids, attention_mask=mask)
    code, report = run("minilm_l6_v4096.onnx", precision, "--inputs", tmp_path / "inputs.npz")
    assert_healthy(code, report)
    assert (
        report["rule"]
        == {"--fp16": "||c - r|| / ||r|| <= 0.01", "--bf16": "||c - r|| / ||r|| <= 0.08"}[precision]
    )


def assert_healthy(code: int, report: dict[str, Any]) -> None:
    assert (code, report["verdict"]) == (0, "matches"), report["reason"]
    assert report["culprits"] == report["fixes"] == []
    assert report["repro"] is None
    assert report["flaky"]["failed"] == 0
    assert report["trials"]["untestable"] == 0
