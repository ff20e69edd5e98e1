from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ort import run
from random_graphs import random_graph

from trtdebug.graph.flat import flat
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.isolate import isolate
from trtdebug.graph.load import load_model
from trtdebug.graph.types import TensorType, tensor_types


def parsed(text: str, opset: int = 17) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> g {text}')


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def check_same(model: onnx.ModelProto, seed: int = 0) -> int:
    """Runs all nodes alone, as they are and flat, compares every bit; gives how many became flat."""
    index, recorded = GraphIndex(model), generate(model, seed=seed)
    recorded |= run(model, recorded, index.tensors)
    types = {name: TensorType(a.dtype.name, a.shape) for name, a in recorded.items()}
    isolated = isolate(model, types, index.order)
    alone, made = isolated.model, flat(isolated.model)
    onnx.checker.check_model(made)
    assert (made.graph.input, made.graph.output) == (alone.graph.input, alone.graph.output)
    feeds = {name: recorded[tensor] for name, tensor in isolated.feeds.items()}
    expected = run(alone, feeds)
    for name, array in run(made, feeds).items():
        assert array.shape == expected[name].shape
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    return (len(made.graph.node) - len(alone.graph.node)) // 2


def test_a_node_that_works_element_by_element_gets_a_flat_tensor() -> None:
    model = parsed("(float[2,3,4] x) => (float[2,3,4] y) { y = Sqrt(x) }")
    made = flat(model)
    assert operators(made) == ["Reshape", "Sqrt", "Reshape"]
    inferred = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
    sizes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in inferred.graph.value_info}
    assert sizes == {"x__flat": [24], "y__flat": [24]}
    assert check_same(model) == 1


def test_a_node_keeps_its_name_and_attributes() -> None:
    model = parsed("(float[2,3,4] x) => (float[2,3,4] y) { y = Elu <alpha = 0.5> (x) }")
    model.graph.node[0].name = "elu"
    (elu,) = [node for node in flat(model).graph.node if node.op_type == "Elu"]
    assert (elu.name, elu.attribute) == ("elu", model.graph.node[0].attribute)


def test_names_of_the_model_are_not_taken() -> None:
    model = parsed(
        """(float[1,2,3] x, float[1,2,3] x__flat) => (float[1,2,3] y, float[1,2,3] z)
        { y = Sqrt(x) z = Sqrt(x__flat) }"""
    )
    assert check_same(model) == 2


@pytest.mark.parametrize(
    "text",
    [
        "(float[2,3] x) => (float[2,3] y) { y = Sqrt(x) }",
        "(float x) => (float y) { y = Sqrt(x) }",
        "(float[N,3,4] x) => (float[N,3,4] y) { y = Sqrt(x) }",
        "(float[0,3,4] x) => (float[0,3,4] y) { y = Sqrt(x) }",
        "(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }",
        "(float[2,3,4] x, float[2,3,4] z) => (float[2,3,4] y) { y = Add(x, z) }",
        "(float[2,3,4] x) => (float[2,1,4] y) { y = ReduceMean <axes = [1]> (x) }",
    ],
)
def test_others_are_left_alone(text: str) -> None:
    model = parsed(text)
    assert flat(model) == model


def test_a_model_whose_reshape_takes_no_tensor_is_left_alone() -> None:
    model = parsed("(float[2,3,4] x) => (float[2,3,4] y) { y = Sqrt(x) }", opset=4)
    assert flat(model) == model


def test_an_operator_of_somebody_else_is_left_alone() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g
        (float[2,3,4] x) => (float[2,3,4] y) { y = own.Sqrt(x) }"""
    )
    assert flat(model) == model


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 40))
def test_random_graphs_give_the_same_bits(seed: int, size: int) -> None:
    model = random_graph(seed, size)
    if isolate(model, tensor_types(model), GraphIndex(model).order).outputs:  # else nothing but constants
        check_same(model, seed)


@pytest.mark.parametrize(
    ("name", "at_least"), [("magika_standard_v3_3.onnx", 2), ("silero_vad_16k_static.onnx", 3)]
)
def test_real_models_give_the_same_bits(model_path: Callable[[str], Path], name: str, at_least: int) -> None:
    model = load_model(model_path(name))
    assert check_same(model) >= at_least


def test_a_transformer_has_such_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "samples"))
    model = importlib.import_module("attention").build()
    assert check_same(model) == 9 + 4
