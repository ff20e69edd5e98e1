"""Cast surgery by operator: which may work in low precision, which not and why."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from lowcasting import compute_type, model_of, run, types_of
from onnx import TensorProto, helper, numpy_helper

from trtdebug.graph.lowcast import lowerable, lowering, mixed_precision


def test_ops_with_fixed_types_stay_in_float32() -> None:
    nodes = [
        helper.make_node("Range", ["start", "limit", "delta"], ["r"], "range"),
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], "dequantise"),
        helper.make_node("Resize", ["d", "", "scales"], ["y"], "resize", mode="nearest"),
    ]
    weights = [
        ("start", np.float32(0)),
        ("limit", np.float32(4)),
        ("delta", np.float32(1)),
        ("scale", np.float32(0.1)),
        ("zero", np.int8(0)),
        ("scales", np.float32([1, 1, 2, 2])),
    ]
    model = model_of(
        nodes, [("x", 1, [1, 1, 2, 2])], [("y", 1, [1, 1, 4, 4]), ("r", 1, [4])], weights, opset=13
    )
    names = {n.name for n in nodes}
    assert lowerable(model, names, "fp16") == {"resize"}
    low = mixed_precision(model, names, "fp16")
    assert compute_type(low, "resize") == "float16"
    resize = next(n for n in low.graph.node if n.name == "resize")
    assert resize.input[2] == "scales"  # float32 by schema
    run(low, {"x": np.ones((1, 1, 2, 2), np.float32)})


def test_types_that_stand_in_attributes_follow() -> None:
    nodes = [
        helper.make_node("Cast", ["i"], ["c"], "cast", to=TensorProto.FLOAT),
        helper.make_node(
            "ConstantOfShape",
            ["shape"],
            ["f"],
            "fill",
            value=numpy_helper.from_array(np.float32([2.5])),
        ),
        helper.make_node("ConstantOfShape", ["shape"], ["z"], "zeros"),
        helper.make_node("Constant", [], ["k"], "constant", value_float=0.25),
        helper.make_node("Sum", ["c", "f", "z", "k"], ["y"], "sum"),
    ]
    model = model_of(nodes, [("i", 7, [3])], [("y", 1, [3])], [("shape", np.int64([3]))])
    low = mixed_precision(model, {n.name for n in nodes}, "fp16")
    assert {compute_type(low, n) for n in ("cast", "fill", "zeros", "sum")} == {"float16"}
    assert [n.op_type for n in low.graph.node if n.name == "constant"] == []  # a weight for its reader now
    np.testing.assert_array_equal(run(low, {"i": np.int64([1, 2, 3])})["y"], np.float32([3.75, 4.75, 5.75]))


def test_a_constant_keeps_its_digits_for_a_reader_in_float32() -> None:
    nodes = [
        helper.make_node("Constant", [], ["eps"], "eps", value_float=1e-12),
        helper.make_node("Add", ["x", "eps"], ["y"], "add"),
    ]
    model = model_of(nodes, [("x", 1, [2])], [("y", 1, [2])])
    low = mixed_precision(model, {"eps"}, "fp16")
    assert run(low, {"x": np.zeros(2, np.float32)})["y"][0] == np.float32(1e-12)


def test_comparisons_read_low_and_shapes_do_not_cast() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("Greater", ["r", "x"], ["g"], "greater"),
        helper.make_node("Shape", ["r"], ["s"], "shape"),
    ]
    model = model_of(nodes, [("x", 1, [2])], [("g", 9, [2]), ("s", 7, [1])])
    low = mixed_precision(model, {"relu", "greater", "shape"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert [n.op_type for n in low.graph.node] == ["Cast", "Relu", "Greater", "Shape"]


def test_why_a_node_stays_float32() -> None:
    nodes = [
        helper.make_node("Constant", [], ["k"], "constant", value_float=0.25),
        helper.make_node("QuantizeLinear", ["x", "k"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "k"], ["d"], "dequantise"),
        helper.make_node("Det", ["d"], ["e"], "det"),
        helper.make_node("Shape", ["d"], ["s"], "shape"),
        helper.make_node("Odd", ["e"], ["f"], "odd", domain="my.ops"),
        helper.make_node("Neg", ["f"], ["y"], "neg"),
    ]
    model = model_of(nodes, [("x", 1, [2, 2])], [("y", 1, [])])
    found = lowering(model, [n.name for n in nodes], "bf16")
    assert found.low == frozenset()
    assert found.refused == {
        "constant": "a constant: each reader gets it in the type that it wants",
        "quantise": "quantisation: its scales are float32",
        "dequantise": "quantisation: its scales are float32",
        "det": "ONNX has no bf16 for Det in opset 17",
        "shape": "reads only a shape",
        "odd": "an operator of my.ops",
        "neg": "the type of tensor 'f' is unknown",
    }


@pytest.mark.parametrize(("opset", "found"), [(13, "no bf16"), (15, "")])
def test_types_that_must_agree_are_lowered_together_or_not_at_all(opset: int, found: str) -> None:
    """Up to opset 14 the exponent of Pow cannot be bfloat16, though its base can."""
    node = helper.make_node("Pow", ["x", "e"], ["y"], "pow")
    model = model_of([node], [("x", 1, [2]), ("e", 1, [2])], [("y", 1, [2])], opset=opset)
    assert found in lowering(model, {"pow"}, "bf16").refused.get("pow", "")
    assert compute_type(mixed_precision(model, {"pow"}, "bf16"), "pow") == (
        "float32" if found else "bfloat16"
    )
    assert compute_type(mixed_precision(model, {"pow"}, "fp16"), "pow") == "float16"


def test_opsets_whose_cast_does_not_know_the_type_stay() -> None:
    node = helper.make_node("Relu", ["x"], ["y"], "relu")
    old = model_of([node], [("x", 1, [2])], [("y", 1, [2])], opset=5)
    assert lowering(old, {"relu"}, "fp16").refused == {"relu": "opset 5 has no Cast to fp16"}
    twelve = model_of([node], [("x", 1, [2])], [("y", 1, [2])], opset=12)
    assert lowering(twelve, {"relu"}, "bf16").refused == {"relu": "opset 12 has no Cast to bf16"}
    assert lowerable(twelve, {"relu"}, "fp16") == {"relu"}


def test_layernorm_statistics_keep_their_type() -> None:
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean", "inv"], "ln")
    model = model_of(
        [node], [("x", 1, [2, 4])], [("y", 1, [2, 4]), ("mean", 1, [2, 1])], [("s", np.ones(4, np.float32))]
    )
    low = mixed_precision(model, {"ln"}, "fp16")
    assert compute_type(low, "ln") == "float16"
    assert types_of(low)["mean"] == "float32"
