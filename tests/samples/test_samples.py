"""Each sample fails as its docstring says: by the nodes named there and by nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from trtdebug.graph.rounding import round_nodes
from trtdebug.graph.types import tensor_types

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ATTENTION = [f"{n}_{p}" for n in ("b3_ln1", "b3_ln2", "lnf") for p in ("pow", "var", "eps", "sqrt")]
CULPRITS = {
    "attention": ATTENTION,
    "cnn": [],
    "exp_overflow": ["exp", "sum", "div"],
    "interacting_pair": [],
    "layernorm_overflow": ["norm_pow", "norm_var", "norm_eps", "norm_sqrt"],
    "softmax_mask": [],
}
SMALL = {"cnn": {"size": 32, "width": 8, "classes": 10}}
NARROW = {"attention": {"dim": 64, "length": 32}}
"""Where each node is tried by itself: 175 runs."""

Draw = Callable[[np.random.Generator, list[int]], np.ndarray]
INPUTS: dict[str, Draw] = {
    "normal": lambda random, shape: random.normal(size=shape),
    "uniform": lambda random, shape: random.uniform(size=shape),
}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SAMPLES))


class Sample:
    """A sample with one input and its FP32 outputs."""

    def __init__(self, name: str, draw: str = "normal", **sizes: int) -> None:
        self.model: onnx.ModelProto = importlib.import_module(name).build(**SMALL.get(name, {}), **sizes)
        self.nodes = [node.name for node in self.model.graph.node]
        value = self.model.graph.input[0]
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        self.feeds = {value.name: INPUTS[draw](np.random.default_rng(1), shape).astype(np.float32)}
        self.dtypes = {tensor: type_.dtype for tensor, type_ in tensor_types(self.model).items()}
        self.reference = self._run(self.model)

    def error(self, low: Iterable[str]) -> float:
        """Relative RMS error of the output with these nodes in FP16; inf where its NaN and Inf are wrong."""
        output = self._run(round_nodes(self.model, frozenset(low), "fp16", self.dtypes))
        if not np.array_equal(np.isfinite(output), np.isfinite(self.reference)):
            return float("inf")
        return float(np.linalg.norm(output - self.reference) / np.linalg.norm(self.reference))

    def _run(self, model: onnx.ModelProto) -> np.ndarray:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return np.asarray(session.run(None, self.feeds)[0], np.float64)


@pytest.mark.parametrize("draw", INPUTS)
@pytest.mark.parametrize("name", CULPRITS)
def test_every_culprit_alone_shows_at_the_output_and_no_other_node_does(name: str, draw: str) -> None:
    sample = Sample(name, draw, **NARROW.get(name, {}))
    errors = {node: sample.error([node]) for node in sample.nodes}
    assert [node for node in sample.nodes if errors[node] > 3e-2] == sorted(
        CULPRITS[name], key=sample.nodes.index
    )
    assert max(errors[node] for node in sample.nodes if node not in CULPRITS[name]) < 3e-3


@pytest.mark.parametrize("draw", INPUTS)
@pytest.mark.parametrize("name", ["attention", "exp_overflow", "layernorm_overflow"])
def test_all_in_fp16_fails_and_pinning_the_culprits_cures_it(name: str, draw: str) -> None:
    sample = Sample(name, draw)
    assert sample.error(sample.nodes) > 0.5
    assert sample.error(set(sample.nodes) - set(CULPRITS[name])) < 5e-3


@pytest.mark.parametrize("name", ["cnn", "softmax_mask"])
def test_a_healthy_sample_matches_with_all_nodes_in_fp16(name: str) -> None:
    sample = Sample(name)
    assert sample.error(sample.nodes) < 3e-3


def test_the_mask_really_becomes_infinite_inside_a_healthy_model() -> None:
    sample = Sample("softmax_mask")
    with np.errstate(over="ignore"):
        masks = [onnx.numpy_helper.to_array(w).astype(np.float16) for w in sample.model.graph.initializer]
    assert any(np.isinf(mask).any() for mask in masks)


def test_the_pair_fails_together_only() -> None:
    sample = Sample("interacting_pair")
    pair = {"left_requant", "right_requant"}
    assert sample.error(pair) > 0.5
    for one in pair:
        assert sample.error(set(sample.nodes) - {one}) < 3e-3


@pytest.mark.parametrize(("name", "nodes"), [("attention", 175), ("cnn", 48), ("layernorm_overflow", 23)])
def test_sizes(name: str, nodes: int) -> None:
    assert len(Sample(name).nodes) == nodes


@pytest.mark.parametrize("name", CULPRITS)
def test_a_sample_is_the_same_every_time_and_can_be_read_by_old_runtimes(name: str) -> None:
    first, second = Sample(name).model, Sample(name).model
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
    assert first.ir_version <= 10
    assert [opset.version for opset in first.opset_import] in ([13], [17])
    assert all(node.name for node in first.graph.node)


def test_the_command_line_writes_the_model(tmp_path: Path) -> None:
    target = tmp_path / "pair.onnx"
    subprocess.run([sys.executable, SAMPLES / "interacting_pair.py", target], check=True)
    assert onnx.load(target) == Sample("interacting_pair").model


def test_every_sample_is_tested_and_in_the_table() -> None:
    files = {path.stem for path in SAMPLES.glob("[!_]*.py")}
    assert files == set(CULPRITS)
    table = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}.py`" in table for name in files)
