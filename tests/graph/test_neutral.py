"""A neutral node hands on every bit, under the old names, and is refused where it could not."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.neutral import keep_apart

ANY_BITS = {np.float16: np.uint16, np.float32: np.uint32, np.float64: np.uint64}


def model_of(dtype: type, shape: list[object], opset: int = 17) -> onnx.ModelProto:
    """h = Neg(x); y = Identity(h), h an output too; z = h in the branches of an If."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    value = [helper.make_tensor_value_info(n, kind, shape) for n in "xyhz"]
    branch = [
        helper.make_graph(
            [helper.make_node(op, ["h"], [f"{op}_z"], op)], op, [], [branch_output(op, value[3])]
        )
        for op in ("Neg", "Identity")
    ]
    nodes = [
        helper.make_node("Neg", ["x"], ["h"], "writer"),
        helper.make_node("Identity", ["h"], ["y"], "reader"),
        helper.make_node("If", ["yes"], ["z"], "choice", then_branch=branch[1], else_branch=branch[0]),
    ]
    yes = helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [yes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def branch_output(op: str, like: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto()
    value.CopyFrom(like)
    value.name = f"{op}_z"
    return value


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(v) for v in session.run(["y", "h", "z"], {"x": x})]


@given(data=st.data(), dtype=st.sampled_from(sorted(ANY_BITS, key=str)), dynamic=st.booleans())
def test_every_bit_is_handed_on(data: st.DataObject, dtype: type, dynamic: bool) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=4, max_side=3))
    x = data.draw(arrays.arrays(ANY_BITS[dtype], shape)).view(dtype)
    model = model_of(dtype, [f"d{i}" for i in range(len(shape))] if dynamic else list(shape))
    apart = keep_apart(model, ["h"])
    for before, after in zip(run(model, x), run(apart, x), strict=True):
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("first", [np.nan, np.inf, -np.inf, -0.0, 65504.0])
def test_a_first_element_that_is_no_plain_number(first: float) -> None:
    x = np.array([[first, 1.0], [np.nan, -0.0]], np.float32)
    model = model_of(np.float32, [2, 2])
    assert [v.tobytes() for v in run(model, x)] == [v.tobytes() for v in run(keep_apart(model, ["h"]), x)]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_tensor_that_an_input_leaves_empty_is_handed_on_empty(rows: int) -> None:
    """NonZero finds as many rows as there are; a size of the model's inputs is taken to be at least 1."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[n] x) => (float[k, 2] h)
        { i = NonZero(x) j = Transpose(i) f = Cast <to = 1> (j) w = Concat <axis = 1> (f, f) h = Neg(w) }"""
    )
    apart = keep_apart(model, ["w"])
    x = np.r_[np.ones(rows), 0].astype(np.float32)
    results = []
    for m in (model, apart):
        session = onnxruntime.InferenceSession(m.SerializeToString())
        results.append(session.run(None, {"x": x})[0])
    assert results[0].shape == (rows, 2)
    assert results[0].tobytes() == results[1].tobytes()
    assert [n.op_type for n in apart.graph.node].count("Slice") == 2
    of_inputs = keep_apart(model_of(np.float32, ["n", 2]), ["h"])
    assert [n.op_type for n in of_inputs.graph.node].count("Slice") == 1


def test_names_stay_and_the_source_is_left_alone() -> None:
    model = model_of(np.float32, [2, 2])
    before = model.SerializeToString()
    apart = GraphIndex(keep_apart(keep_apart(model, ["h", "h"]), ["h"]))  # twice: names must not collide
    assert model.SerializeToString() == before
    assert {"writer", "reader", "choice"} <= {n.name for n in apart.nodes}
    assert apart.consumers["h"] == ("reader", "choice")
    assert sum(n.op == "ScatterND" for n in apart.nodes) == 2
    assert apart.node("writer").outputs != ("h",)


@pytest.mark.parametrize(
    ("shape", "opset", "tensor", "message"),
    [
        ([2], 17, "x", "'x' is written by no node"),
        ([2], 17, "nothing", "'nothing' is written by no node"),
        ([2, 0], 17, "h", "'h' is of type float32, shape"),
        ([], 17, "h", "'h' is of type float32, shape \\(\\)"),
        ([2], 10, "h", "takes opset 11; the model has 10"),
    ],
)
def test_refused_by_name(shape: list[object], opset: int, tensor: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        keep_apart(model_of(np.float32, shape, opset), [tensor])


def test_integers_are_refused() -> None:
    with pytest.raises(UserError, match="'h' is of type int64"):
        keep_apart(model_of(np.int64, [2]), ["h"])
