"""Custom operators of a model, and in which order its parts run around them."""

from __future__ import annotations

import onnx
from custom_models import DOMAIN, OPSETS, model, one_node, swish_function, swish_model
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from random_graphs import random_graph

from trtdebug.graph.custom import custom_kinds, nested, top_level
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.steps import split_at

SWISH = (DOMAIN, "Swish")


def test_custom_is_what_neither_onnx_nor_the_model_defines():
    swish = swish_model()
    assert custom_kinds(swish) == {SWISH: "swish"}
    assert top_level(swish, [SWISH]) == {"swish": SWISH, "swish2": SWISH}
    swish.functions.append(swish_function())
    assert custom_kinds(swish) == {}
    assert custom_kinds(one_node("Foo", "")) == {("", "Foo"): "custom"}
    assert custom_kinds(one_node("Relu", "ai.onnx")) == {}


def in_branch(op: str) -> onnx.ModelProto:
    inner = helper.make_graph(
        [helper.make_node(op, ["x"], ["i"], "inner", domain=DOMAIN)],
        "body",
        [],
        [onnx.ValueInfoProto(name="i")],
    )
    yes = helper.make_node(
        "Constant", [], ["yes"], "yes", value=helper.make_tensor("", onnx.TensorProto.BOOL, [], [1])
    )
    return model([yes, helper.make_node("If", ["yes"], ["y"], "if", then_branch=inner, else_branch=inner)])


def test_those_in_bodies_and_functions_are_told_with_where_they_stand():
    assert custom_kinds(in_branch("Foo")) == {(DOMAIN, "Foo"): "if"}
    assert nested(in_branch("Foo"), [(DOMAIN, "Foo")]) == {(DOMAIN, "Foo"): "a body of If 'if'"}
    holder = one_node("Outer")
    inner = helper.make_node("Foo", ["x"], ["y"], domain=DOMAIN)
    holder.functions.append(helper.make_function(DOMAIN, "Outer", ["x"], ["y"], [inner], OPSETS))
    assert custom_kinds(holder) == {(DOMAIN, "Foo"): "my.ops::Outer"}
    assert nested(holder, [(DOMAIN, "Foo")]) == {(DOMAIN, "Foo"): "the function my.ops::Outer"}
    assert nested(holder, [(DOMAIN, "Bar")]) == {}


def test_steps_of_a_chain():
    steps = split_at(GraphIndex(swish_model()), {"swish", "swish2"})
    assert [(step.nodes, step.apart) for step in steps] == [
        (("mm",), ("swish",)),
        (("mul",), ("swish2",)),
        (("tanh",), ()),
    ]


@given(st.integers(0, 10**6), st.floats(0, 0.6))
def test_every_node_runs_once_after_all_that_it_reads(seed, share):
    index = GraphIndex(random_graph(seed, 25))
    apart = {name for at, name in enumerate(index.order) if (at * 7919 + seed) % 100 < 100 * share}
    done: set[str] = set()
    ran: list[str] = []
    for step in split_at(index, apart):
        assert not set(step.nodes) & apart
        assert set(step.apart) <= apart
        for group in (step.nodes, step.apart):
            for name in group:
                earlier = done | set(group) if group is step.nodes else done
                assert set(index.predecessors(name)) <= earlier
            done |= set(group)
            ran += group
    assert sorted(ran) == sorted(index.order)
