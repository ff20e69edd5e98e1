"""The model with precisions in it, for TensorRT that takes them from there."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from trtdebug.backends.base import BuildRequest
from trtdebug.core.case import BuildOptions, Precision
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import PinPrecision
from trtdebug.export.models import TypedModel, strongly_typed


def typed(folder: Path, precision: Precision, *pins: str) -> TypedModel | None:
    """Of a model that squares in FP16 by itself, and then takes the maximum of all in FP32."""
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], "down", to=TensorProto.FLOAT16),
        helper.make_node("Mul", ["half", "half"], ["squared"], "square"),
        helper.make_node("Cast", ["squared"], ["full"], "up", to=TensorProto.FLOAT),
        helper.make_node("Exp", ["full"], ["grown"], "exp"),
        helper.make_node("GlobalMaxPool", ["grown"], ["y"], "largest"),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", [1, 2, 8]), ("y", [1, 2, 1]))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    return strongly_typed(
        BuildRequest(path, BuildOptions(precision=precision), folder, (PinPrecision(pins),))
    )


def test_a_pin_of_what_is_low_in_the_model_itself_cannot_be_written_in(tmp_path: Path) -> None:
    with pytest.raises(BuildFailure, match="'square' is in float16 in the model itself"):
        typed(tmp_path, "fp16", "exp", "square")
    assert typed(tmp_path, "fp16", "exp", "up") is not None


def test_nodes_that_stay_in_fp32_are_told(tmp_path: Path) -> None:
    found = typed(tmp_path, "bf16", "exp")
    assert found is not None
    assert found.unlowered["largest"] == "ONNX has no bf16 for GlobalMaxPool in opset 15"
    assert "exp" not in found.unlowered
    half = typed(tmp_path, "fp16", "exp")
    assert half is not None
    assert not half.unlowered  # what is in FP16 by itself is in FP16
