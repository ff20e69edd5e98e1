"""Cast surgery, asserted on tensor types and by running it on onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from lowcasting import compute_type, if_between, model_of, run, types_of
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from trtdebug.core.errors import UserError
from trtdebug.graph.lowcast import mixed_precision


def chain() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["a"], "mul"),
        helper.make_node("Add", ["a", "w"], ["b"], "add"),
        helper.make_node("Relu", ["b"], ["y"], "relu"),
    ]
    shape = [2, 3]
    weight = np.float32([1.0001, 1e6, 2.0])
    return model_of(nodes, [("x", 1, shape)], [("y", 1, shape)], [("w", weight)])


def test_low_nodes_compute_in_float16_and_the_others_in_float32() -> None:
    low = mixed_precision(chain(), {"mul"}, "fp16")
    assert compute_type(low, "mul") == "float16"
    assert compute_type(low, "add") == "float32"
    assert [i.name for i in low.graph.input] == ["x"]
    assert types_of(low)["x"] == types_of(low)["y"] == "float32"
    assert (low.ir_version, low.opset_import[0].version) == (8, 17)


def test_a_weight_read_both_ways_exists_in_both_types_and_overflows_as_a_cast_does() -> None:
    low = mixed_precision(chain(), {"mul"}, "fp16")
    weights = {w.name: numpy_helper.to_array(w) for w in low.graph.initializer}
    assert weights["w"].dtype == np.float32
    assert weights["w__fp16"].dtype == np.float16
    assert np.isinf(weights["w__fp16"][1])


def test_a_weight_that_only_low_nodes_read_is_replaced() -> None:
    low = mixed_precision(chain(), {"mul", "add"}, "fp16")
    assert [w.name for w in low.graph.initializer] == ["w__fp16"]


def test_casts_are_shared_and_stand_only_at_borders() -> None:
    low = mixed_precision(chain(), {"mul", "add", "relu"}, "fp16")
    casts = [(n.input[0], n.output[0]) for n in low.graph.node if n.op_type == "Cast"]
    assert casts == [("x", "x__fp16"), ("y__fp16", "y")]


def test_values_are_those_of_a_float16_node() -> None:
    x = np.float32([[0.1, 0.0, 3000.0], [1.0, 0.5, 40000.0]])
    low = mixed_precision(chain(), {"mul"}, "fp16")
    with np.errstate(all="ignore"):  # onnxruntime's CPU kernels would compute in float32
        (found,) = ReferenceEvaluator(low).run(None, {"x": x})
    w = np.float32([1.0001, 1e6, 2.0])
    with np.errstate(all="ignore"):
        product = (x.astype(np.float16) * w.astype(np.float16)).astype(np.float32)
        expected = np.maximum(product + w, 0)
    np.testing.assert_array_equal(found, expected)
    assert np.isinf(found[1, 2])  # 40000 * 2 is beyond FP16


def test_bfloat16_types() -> None:
    low = mixed_precision(chain(), {"mul", "add"}, "bf16")
    assert compute_type(low, "mul") == compute_type(low, "add") == "bfloat16"
    assert compute_type(low, "relu") == "float32"


def test_no_low_node_changes_nothing() -> None:
    model = chain()
    assert mixed_precision(model, (), "fp16") == model


def test_an_unknown_node_is_named() -> None:
    with pytest.raises(UserError, match="'nope'"):
        mixed_precision(chain(), {"nope"}, "fp16")


def test_outputs_keep_names_and_types_whatever_they_are() -> None:
    """Twice the same, a weight, an input, a Constant, and one that others read too."""
    nodes = [
        helper.make_node("Constant", [], ["c"], "constant", value_floats=[1.0, 2.0]),
        helper.make_node("Add", ["x", "c"], ["a"], "add"),
        helper.make_node("Mul", ["a", "w"], ["y"], "mul"),
    ]
    outputs = [(name, 1, [2]) for name in ("y", "y", "w", "x", "c", "a")]
    model = model_of(nodes, [("x", 1, [2])], outputs, [("w", np.float32([1 / 3, 3]))])
    low = mixed_precision(model, {"constant", "add", "mul"}, "fp16")
    assert compute_type(low, "add") == compute_type(low, "mul") == "float16"
    assert list(low.graph.output) == list(model.graph.output)
    _, _, weight, _, _, added = ReferenceEvaluator(low).run(None, {"x": np.float32([0.1, 1])})
    assert weight[0] == np.float32(1 / 3)  # an output is no reader that rounds
    assert added[0] == np.float32(np.float16(0.1) + np.float16(1))


def test_an_initialiser_that_can_be_fed_is_cast_when_it_runs() -> None:
    node = helper.make_node("Add", ["x", "w"], ["y"], "add")
    model = model_of([node], [("x", 1, [2]), ("w", 1, [2])], [("y", 1, [2])], [("w", np.float32([1, 1]))])
    low = mixed_precision(model, {"add"}, "fp16")
    assert [w.name for w in low.graph.initializer] == ["w"]
    found = run(low, {"x": np.float32([1, 1]), "w": np.float32([5, 7])})["y"]
    np.testing.assert_array_equal(found, np.float32([6, 8]))


def test_names_that_are_taken_in_a_body_are_not_taken_again() -> None:
    model = if_between()
    then = next(a.g for a in model.graph.node[1].attribute if a.name == "then_branch")
    then.node[0].output[0] = then.output[0].name = "x__fp16"
    low = mixed_precision(model, {"relu"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert low.graph.node[0].output[0] == "x__fp16_"


def test_omitted_inputs_and_outputs_stay_omitted() -> None:
    nodes = [
        helper.make_node("Clip", ["x", "", "high"], ["c"], "clip"),
        helper.make_node("LSTM", ["c", "w", "r", "", "", "h"], ["", "y"], "lstm", hidden_size=2),
    ]
    weights = [
        ("high", np.float32(0.5)),
        ("w", np.ones((1, 8, 2), np.float32)),
        ("r", np.ones((1, 8, 2), np.float32)),
        ("h", np.zeros((1, 1, 2), np.float32)),
    ]
    model = model_of(nodes, [("x", 1, [3, 1, 2])], [("y", 1, [1, 1, 2])], weights)
    low = mixed_precision(model, {"clip", "lstm"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    lstm = next(n for n in low.graph.node if n.name == "lstm")
    assert list(lstm.input[3:]) == ["", "", "h__fp16"]
    assert list(lstm.output) == ["", "y__fp16"]
    feeds = {"x": np.ones((3, 1, 2), np.float32)}
    np.testing.assert_allclose(run(low, feeds)["y"], run(model, feeds)["y"], rtol=2e-3)
