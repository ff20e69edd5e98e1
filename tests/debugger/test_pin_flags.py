"""The flags that the report has people give to trtexec name what trtexec finds in their own model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from in_process import jobs_run_here
from onnx import TensorProto, helper
from seed_models import model_of, node, value, weight

import trtdebug
from trtdebug.api.result import DebugResult


def chain(*names: str) -> list[onnx.NodeProto]:
    """x * 1000, squared (which overflows FP16), its root."""
    steps = (("Mul", ["x", "big"], "a"), ("Mul", ["a", "a"], "square"), ("Sqrt", ["square"], "root"))
    return [node(op, ins, [out], name) for (op, ins, out), name in zip(steps, names, strict=True)]


def diagnosed(model: onnx.ModelProto, folder: Path) -> DebugResult:
    x = np.linspace(0.5, 1, 16, dtype=np.float32).reshape(2, 8)
    with jobs_run_here():
        return trtdebug.debug(model, fp16=True, inputs={"x": x}, candidate="emulator", session=folder / "s")


def overflowing(*names: str) -> onnx.ModelProto:
    nodes = [*chain(*names), node("Div", ["root", "big"], ["y"], "back")]
    return model_of(nodes, [value("x", [2, 8])], [value("y", [2, 8])], [weight("big", 1000.0)])


def test_pins_of_the_users_own_nodes_are_said_by_their_names(tmp_path: Path) -> None:
    result = diagnosed(overflowing("scale", "square", "root"), tmp_path)
    assert result.fix is not None
    assert result.fix.layer_flags == (
        "--precisionConstraints=obey",
        "--layerPrecisions=square:fp32,root:fp32",
        "--layerOutputTypes=square:fp32,root:fp32",
    )
    assert f"apply: trtexec --fp16 {' '.join(result.fix.layer_flags)}\n" in str(result)


def test_nodes_that_share_a_name_have_others_in_the_fix_folder_only(tmp_path: Path) -> None:
    result = diagnosed(overflowing("same", "same", "same"), tmp_path)
    assert result.fix is not None
    assert result.fix.summary == "pin 2 nodes to FP32: same_1, same_2"
    assert (tmp_path / "s/fix/model.onnx").is_file()
    assert "apply:" not in str(result)


def test_a_loop_has_no_layer_of_its_name(tmp_path: Path) -> None:
    body = helper.make_graph(
        [*chain("scale", "square", "root"), node("Identity", ["more"], ["go on"], "same")],
        "body",
        [value("i", [], TensorProto.INT64), value("more", [], TensorProto.BOOL), value("state", [2, 8])],
        [value("go on", [], TensorProto.BOOL), value("root", [2, 8])],
    )
    body.node[0].input[0] = "state"
    loop = helper.make_node("Loop", ["times", "", "x"], ["last"], "loop", body=body)
    weights = [weight("big", 1000.0), onnx.numpy_helper.from_array(np.int64(1), "times")]
    nodes = [loop, node("Div", ["last", "big"], ["y"], "back")]
    result = diagnosed(model_of(nodes, [value("x", [2, 8])], [value("y", [2, 8])], weights), tmp_path)
    assert result.fix is not None
    assert result.fix.summary == "pin 1 node to FP32: loop"
    assert "# none: loop is Loop" in (tmp_path / "s/fix/trtexec.txt").read_text()
    assert "apply:" not in str(result)


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_nor_has_a_recurrent_node(tmp_path: Path, operator: str, gates: int) -> None:
    weights = [
        weight("w", np.full((1, gates * 4, 8), 1e5, np.float32)),  # beyond FP16
        weight("r", np.full((1, gates * 4, 4), 0.1, np.float32)),
    ]
    nodes = [
        node("Mul", ["x", "small"], ["a"], "scale"),
        node("Reshape", ["a", "steps"], ["s"], "steps"),
        node(operator, ["s", "w", "r"], ["y"], "recurrent", hidden_size=4),
    ]
    weights += [weight("small", 1e-6), weight("steps", [2, 1, 8])]
    result = diagnosed(
        model_of(nodes, [value("x", [2, 8])], [value("y", [2, 1, 1, 4])], weights, opset=14), tmp_path
    )
    assert result.fix is not None
    assert "recurrent" in result.fix.summary
    assert result.fix.layer_flags == ()
    assert f"# none: recurrent is {operator}" in (tmp_path / "s/fix/trtexec.txt").read_text()
