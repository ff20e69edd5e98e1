"""Copies of parts of a model side by side: each computes what the part does, and none touches another."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from ort import run
from planted_graphs import planted_graph

from trtdebug.core.errors import UserError
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.side_by_side import copied_words, copy_name, side_by_side
from trtdebug.graph.types import tensor_types

MODEL = planted_graph(3, 40, 0).model
TYPES = tensor_types(MODEL)
NODES = GraphIndex(MODEL).order


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(NODES) - 3), min_size=1, max_size=5), st.integers(1, 3))
def test_each_copy_computes_what_its_part_does(starts: list[int], size: int) -> None:
    groups = [NODES[start : start + size] for start in starts]
    copies = side_by_side(MODEL, TYPES, groups)
    onnx.checker.check_model(copies.model)
    random = np.random.default_rng(0)
    values = {t: random.normal(size=TYPES[t].shape).astype(np.float32) for t in copies.feeds.values()}
    found = run(copies.model, {name: values[tensor] for name, tensor in copies.feeds.items()})
    for number, group in enumerate(groups):
        part = extract(MODEL, group, TYPES)
        weights = {w.name for w in part.graph.initializer}
        expected = run(part, {i.name: values[i.name] for i in part.graph.input if i.name not in weights})
        own = {tensor: found[name] for name, (tensor, of) in copies.outputs.items() if of == number}
        assert own.keys() == expected.keys()
        for tensor, value in own.items():
            np.testing.assert_array_equal(value, expected[tensor])


def test_weights_are_shared_and_nothing_else_is() -> None:
    copies = side_by_side(MODEL, TYPES, [NODES[:4]] * 3)
    index = GraphIndex(copies.model)
    assert len({w.name for w in copies.model.graph.initializer}) == len(copies.model.graph.initializer)
    for node in index.nodes:
        assert node.name.endswith(("__copy0", "__copy1", "__copy2"))
        number = node.name[-1]
        fed = [t for t in node.reads if t not in index.initializers]
        assert all(t.endswith(f"__copy{number}") for t in (*fed, *node.writes))


def test_bodies_read_their_own_copys_tensors() -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["a", "w"], ["r"], "inner")], "b", [], [value("r", 1, [2])]
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "relu"),
        helper.make_node("If", ["c"], ["y"], "branch", then_branch=body, else_branch=body),
    ]
    weight = numpy_helper.from_array(np.ones(2, np.float32), "w")
    inputs = [value("x", 1, [2]), value("c", TensorProto.BOOL, [])]
    graph = helper.make_graph(nodes, "g", inputs, [value("y", 1, [2])], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    copies = side_by_side(model, tensor_types(model), [("branch",), ("relu", "branch")])
    onnx.checker.check_model(copies.model)
    feeds = {
        name: np.array(True) if tensor == "c" else np.float32([1, 2]) * (1 if name.endswith("0") else 10)
        for name, tensor in copies.feeds.items()
    }
    found = run(copies.model, feeds)
    np.testing.assert_array_equal(found["y__copy0"], [2, 3])
    np.testing.assert_array_equal(found["y__copy1"], [11, 21])


def test_a_node_that_is_none_is_refused() -> None:
    with pytest.raises(UserError):
        side_by_side(MODEL, TYPES, [("no such node",)])


def test_names_of_layers_follow_their_nodes() -> None:
    nodes = ("conv1", "conv10", "a.b")
    assert copy_name("conv1", 7) == "conv1__copy7"
    assert copied_words("conv10 + conv1", nodes, 2) == "conv10__copy2 + conv1__copy2"
    assert copied_words("PWN(PWN(a.b), axb)", nodes, 0) == "PWN(PWN(a.b__copy0), axb)"
