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

from trtdebug.graph.alike import Alike, alike
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.isolate import isolate
from trtdebug.graph.load import load_model
from trtdebug.graph.types import TensorType, tensor_types


def shared(text: str) -> Alike:
    """All nodes of a model of opset 17, named after what they write."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    return alike(isolate(model, tensor_types(model), [n.name for n in model.graph.node]))


def nodes(found: Alike) -> list[str]:
    return [node.name for node in found.isolated.model.graph.node]


def check_turns(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> tuple[int, int]:
    """Runs the model of isolated nodes in all turns, compares every bit; gives nodes in it, and isolated ones."""
    index = GraphIndex(model)
    recorded = {**feeds, **run(model, feeds, index.tensors)}
    types = {name: TensorType(array.dtype.name, array.shape) for name, array in recorded.items()}
    alone = isolate(model, types, index.order)
    found = alike(alone)
    onnx.checker.check_model(found.isolated.model)
    first = {name: recorded[tensor] for name, tensor in found.isolated.feeds.items()}
    seen = run(found.isolated.model, first)
    for turn in found.turns:
        fed = first | {name: recorded[tensor] for name, tensor in turn.feeds.items()}
        again = run(found.isolated.model, fed)
        seen |= {name: again[own] for own, name in turn.outputs.items()}
    assert seen.keys() == alone.outputs.keys()
    for name, array in seen.items():
        np.testing.assert_array_equal(array, recorded[alone.outputs[name][0]], err_msg=name)
    stood_for = [other for node in nodes(found) for other in found.stood_for(node)]
    assert sorted(stood_for) == sorted(node.name for node in alone.model.graph.node)
    return len(nodes(found)), len(stood_for)


def test_one_stands_for_all_that_compute_the_same() -> None:
    found = shared("(float[2] x, float[2] y) => (float[2] c) { a = Sqrt(x) b = Sqrt(y) c = Sqrt(b) }")
    assert nodes(found) == ["n_a"]
    assert found.stood_for("n_a") == ("n_a", "n_b", "n_c")
    assert [list(turn.feeds.values()) for turn in found.turns] == [["y"], ["b"]]
    assert [list(turn.outputs.values()) for turn in found.turns] == [["b__from__n_b"], ["c__from__n_c"]]


def test_scalars_have_a_shape_too() -> None:
    assert nodes(shared("(float x, float y) => (float a, float b) { a = Sqrt(x) b = Sqrt(y) }")) == ["n_a"]


def test_equal_constants_under_two_names_are_the_same() -> None:
    found = shared(
        """(float[2] x) => (float[2] a, float[2] b, float[2] c) <float u = {2}, float v = {2}, float w = {3}>
        { a = Mul(x, u) b = Mul(x, v) c = Mul(x, w) }"""
    )
    assert nodes(found) == ["n_a", "n_c"]
    assert [tensor.name for tensor in found.isolated.model.graph.initializer] == ["u", "w"]


@pytest.mark.parametrize(
    "text",
    [
        "(float[2] x, float[2] y) => (float[2] a, float[2] b) { a = Mul(x, x) b = Mul(x, y) }",
        "(float[2] x, float[3] y) => (float[2] a, float[3] b) { a = Sqrt(x) b = Sqrt(y) }",
        "(float[2] x, float[N] y) => (float[2] a, float[N] b) { a = Sqrt(x) b = Sqrt(y) }",
        "(float[2] x, double[2] y) => (float[2] a, double[2] b) { a = Sqrt(x) b = Sqrt(y) }",
        "(float[2] x) => (float[2] a, float[2] b) <float u = {2}> { a = Mul(x, u) b = Mul(u, x) }",
        "(float[2] x) => (float[2] a, float[2] b) { a = Elu <alpha=1.0> (x) b = Elu <alpha=2.0> (x) }",
        "(float[4] x, int64[1] s, int64[1] t) => (float[4] a, float[4] b) { a = Reshape(x, s) b = Reshape(x, t) }",
        "(float[3] x) => (float[1] a, float[1] b, int64[1] i) <int64[1] k = {1}> "
        "{ a = TopK(x, k) b, i = TopK(x, k) }",
    ],
)
def test_what_only_looks_alike_stands_for_itself(text: str) -> None:
    found = shared(text)
    assert len(nodes(found)) == 2
    assert not found.turns


def test_nodes_with_bodies_stand_for_themselves() -> None:
    branch = "then_branch = p () => (float[2] %s) { %s = Sqrt(x) }, else_branch = q () => (float[2] %s) { %s = Abs(x) }"
    found = shared(
        f"""(float[2] x, bool c) => (float[2] a, float[2] b)
        {{ a = If(c) <{branch % (*"tt", *"ee")}> b = If(c) <{branch % (*"tt", *"ee")}> }}"""
    )
    assert nodes(found) == ["n_a", "n_b"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 40))
def test_random_graphs_give_the_same_bits_in_turns(seed: int, size: int) -> None:
    model = random_graph(seed, size)
    if isolate(model, tensor_types(model), GraphIndex(model).order).outputs:  # else nothing but constants
        check_turns(model, generate(model, seed=seed))


@pytest.mark.parametrize("name", ["magika_standard_v3_3.onnx", "silero_vad_16k_static.onnx"])
def test_real_models_give_the_same_bits_in_turns(model_path: Callable[[str], Path], name: str) -> None:
    model = load_model(model_path(name))
    standing, isolated = check_turns(model, generate(model))
    assert standing < isolated


def test_of_a_transformer_less_than_half_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "samples"))
    model = importlib.import_module("attention").build()
    standing, isolated = check_turns(model, generate(model))
    assert standing < isolated / 2
