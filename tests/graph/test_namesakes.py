"""Tensors of one name in two models: what shows that they are not the same."""

from __future__ import annotations

import onnx
from seed_models import model_of, node, value, weight

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.namesakes import Side, may_be_same
from trtdebug.graph.types import tensor_types


def side(*nodes: onnx.NodeProto, shape: tuple[int | str, ...] = (4, 8)) -> Side:
    weights = [weight("w", [[1.0] * 8] * 8), weight("v", [[2.0] * 8] * 8), weight("s", 0.1)]
    model = model_of(list(nodes), [value("x", shape)], [value("t", shape)], weights)
    return Side(GraphIndex(model), tensor_types(model))


PRODUCT = side(node("MatMul", ["x", "w"], ["t"], "product"))


def test_the_same_computation_of_other_values_may_be_the_same() -> None:
    assert may_be_same("t", PRODUCT, PRODUCT)
    assert may_be_same("t", PRODUCT, side(node("MatMul", ["x", "w"], ["t"], "renamed"), shape=("batch", 8)))


def test_a_pair_that_only_one_model_has_lies_between() -> None:
    quantised = [
        node("QuantizeLinear", ["x", "s"], ["q"], "q"),
        node("DequantizeLinear", ["q", "s"], ["d"], "d"),
        node("MatMul", ["d", "w"], ["t"], "product"),
    ]
    assert may_be_same("t", PRODUCT, side(*quantised))


def test_another_operator_in_another_place_is_another_tensor() -> None:
    """onnxruntime's quantiser leaves a Relu out, and gives its output's name to the convolution before."""
    assert not may_be_same("t", PRODUCT, side(node("Relu", ["x"], ["t"], "relu")))
    read = node("Neg", ["t"], ["u"], "neg")
    assert not may_be_same("t", PRODUCT, side(node("Add", ["x", "w"], ["t"], "sum"), read))
    assert may_be_same("t", PRODUCT, side(node("Add", ["x", "w"], ["t"], "sum"))), "a wrong export of it"


def test_another_shape_is_another_tensor() -> None:
    assert not may_be_same("t", PRODUCT, side(node("MatMul", ["x", "w"], ["t"], "product"), shape=(2, 4, 8)))
    assert not may_be_same("t", PRODUCT, side(node("MatMul", ["x", "w"], ["t"], "product"), shape=(3, 8)))


def test_another_weight_that_both_models_have_is_another_tensor() -> None:
    assert not may_be_same("t", PRODUCT, side(node("MatMul", ["x", "v"], ["t"], "product")))
