"""Models in a few words, and what a rewrite has to keep: values, names, types, cleanness."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from numpy.typing import NDArray

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.case import BuildOptions
from trtdebug.graph.load import save_model
from trtdebug.graph.names import name_nodes
from trtdebug.graph.rewrite import Rewrite, apply
from trtdebug.graph.types import value_type

Array = NDArray[Any]


def model_of(
    body: str,
    x: Sequence[int | str],
    constants: Mapping[str, Array] | None = None,
    *,
    opset: int = 13,
    inputs: str = "",
    outputs: str = "float y",
    dtype: str = "float",
) -> onnx.ModelProto:
    """A checked model: `body` in ONNX's text format, from an input `x` of this shape (and `inputs`) to `outputs`."""
    shape = ", ".join(map(str, x))
    more = f", {inputs}" if inputs else ""
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> g ({dtype}[{shape}] x{more}) => ({outputs}) {{ {body} }}'
    )
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    for name, array in (constants or {}).items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    name_nodes(model)
    if all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
        onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """All outputs, by onnxruntime with its optimisations off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def assert_rewritten(
    rewrite: Rewrite, model: onnx.ModelProto, feeds: Mapping[str, Array], tolerance: float = 1e-6
) -> onnx.ModelProto:
    """Rewrites the model, which has to become another one that is as clean and gives the same; returns it."""
    before = model.SerializeToString()
    result = apply(rewrite, model)
    assert result is not None, "nothing was rewritten"
    assert model.SerializeToString() == before, "the source was changed"
    onnx.checker.check_model(result, full_check=True)
    assert result.ir_version == model.ir_version
    assert [(v.name, value_type(v)) for v in result.graph.input] == [
        (v.name, value_type(v)) for v in model.graph.input
    ]
    assert [v.name for v in result.graph.output] == [v.name for v in model.graph.output]
    assert len({node.name for node in result.graph.node}) == len(result.graph.node)
    assert_same(run(model, feeds), run(result, feeds), tolerance)
    return result


def assert_same(ours: Mapping[str, Array], theirs: Mapping[str, Array], tolerance: float = 1e-6) -> None:
    """Outputs of the same names, types and shapes, and of values within this part of their scale."""
    assert ours.keys() == theirs.keys()
    for name, one in ours.items():
        other = theirs[name]
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        scale = np.abs(one[np.isfinite(one)]).max(initial=0) or 1
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance * float(scale), err_msg=name)


def assert_left_alone(rewrite: Rewrite, model: onnx.ModelProto) -> None:
    """The rewrite finds nothing that can be done, and changes no byte."""
    before = model.SerializeToString()
    assert apply(rewrite, model) is None
    assert model.SerializeToString() == before


def fp16_error(model: onnx.ModelProto, feeds: Mapping[str, Array], folder: Path) -> float:
    """Relative RMS error of the first output in emulated FP16 against FP32; inf where NaN or Inf appear."""
    save_model(model, folder / "fp16.onnx")
    engine = EmulatorBackend().build(BuildRequest(folder / "fp16.onnx", BuildOptions("fp16"), folder))
    [name, *_] = (value.name for value in model.graph.output)
    low, exact = engine.run(feeds)[name].astype(np.float64), run(model, feeds)[name].astype(np.float64)
    if not np.isfinite(low).all():
        return float("inf")
    return float(np.linalg.norm(low - exact) / np.linalg.norm(exact))


def kinds(model: onnx.ModelProto) -> list[str]:
    """The operators of the top-level graph, in order, Constant left out."""
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def assert_near_miss(
    rewrite: Rewrite, body: str, x: Sequence[int | str], values: Mapping[str, Array]
) -> None:
    """Leaves a model of this body alone: with those constants that it names, and an output `o` if it writes one."""
    words = set(re.findall(r"\w+", body))
    outputs = "float y, float o" if re.search(r"\bo =", body) else "float y"
    used = {name: value for name, value in values.items() if name in words}
    assert_left_alone(rewrite, model_of(body, x, used, outputs=outputs))
