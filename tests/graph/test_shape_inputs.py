"""Inputs whose values are sizes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from shape_cases import F32, I64, SHAPE_CASES, model, node

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.shape_inputs import shape_inputs
from trtdebug.graph.types import tensor_types


def found(made) -> frozenset[str]:
    return shape_inputs(GraphIndex(made), tensor_types(made))


@pytest.mark.parametrize(
    ("case", "inputs"),
    [
        ("an input that holds a shape", {"target"}),
        ("an input that holds a shape of open length", {"target"}),
        ("an input that holds a length, a scalar", {"limit"}),
        ("INT64 in, out and inside", set()),
        ("a k that is computed", set()),
        ("bytes in and out", set()),
    ],
)
def test_inputs_that_say_a_size_are_found_and_indices_are_not(case: str, inputs: set[str]) -> None:
    assert found(SHAPE_CASES[case]().model) == inputs


def test_a_size_may_be_computed_by_integers_but_a_shape_is_no_value() -> None:
    nodes = [
        node("Mul", "half two", "length", "double"),
        node("Concat", "length minus", "target", "concat", axis=0),
        node("Reshape", "x target", "y", "reshape"),
        node("Shape", "ids", "count", "shape"),
        node("Expand", "one count", "z", "expand"),
        node("Cast", "mask", "weight", "cast", to=TensorProto.FLOAT),
    ]
    inputs = [("x", F32, [12]), ("half", I64, [1]), ("ids", I64, ["n"]), ("mask", I64, ["n"])]
    outputs = [("y", F32, None), ("z", F32, None), ("weight", F32, ["n"])]
    weights = {"two": np.int64([2]), "minus": np.int64([-1]), "one": np.float32([1])}
    assert found(model(nodes, inputs, outputs, weights)) == {"half"}
