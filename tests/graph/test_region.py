"""Blocks with one tensor in and one out."""

from __future__ import annotations

import importlib
from pathlib import Path

import onnx
import pytest
from seed_models import model_of, node, value, weight

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.region import HEAVY, Flow, block_around, groups

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NORM = ("mean", "centre", "pow", "var", "eps", "sqrt", "div", "mul", "add")
OVERFLOWING = ("pow", "var", "eps", "sqrt")


def flow_of(model: onnx.ModelProto, without: tuple[str, ...] = ()) -> Flow:
    index = GraphIndex(model)
    return Flow(index, [n for n in index.order if n not in without], lambda tensor: True)


@pytest.fixture
def attention(monkeypatch: pytest.MonkeyPatch) -> Flow:
    monkeypatch.syspath_prepend(str(SAMPLES))
    return flow_of(importlib.import_module("attention").build())


def test_the_norm_around_its_variance(attention: Flow) -> None:
    for norm in ("b3_ln1", "lnf"):
        pins = [f"{norm}_{part}" for part in OVERFLOWING]
        assert block_around(attention, pins, 32) == tuple(f"{norm}_{part}" for part in NORM)


def test_within_the_limit_or_not_at_all(attention: Flow) -> None:
    pins = [f"lnf_{part}" for part in OVERFLOWING]
    assert block_around(attention, pins, 5) == (*pins, "lnf_div")
    assert block_around(attention, pins, 4) == tuple(pins)
    assert block_around(attention, pins, 3) == ()


def test_a_heavy_node_is_in_no_block(attention: Flow) -> None:
    assert attention.index.node("head").op in HEAVY
    assert block_around(attention, ["head"], 32) == ()


def test_pins_that_feed_each_other_are_one_group(attention: Flow) -> None:
    pins = [f"{norm}_{part}" for norm in ("lnf", "b3_ln1") for part in reversed(OVERFLOWING)]
    assert groups(attention.index, pins) == [
        tuple(f"{norm}_{part}" for part in OVERFLOWING) for norm in ("b3_ln1", "lnf")
    ]


def diamond() -> onnx.ModelProto:
    """x -> a -> (b, c) -> d -> y, and c is an output as well; s reads only a shape."""
    nodes = [
        node("Relu", ["x"], ["a"], "a"),
        node("Neg", ["a"], ["b"], "b"),
        node("Abs", ["a"], ["c"], "c"),
        node("Add", ["b", "c"], ["d"], "d"),
        node("Mul", ["d", "w"], ["y"], "y"),
        node("Shape", ["d"], ["s"], "s"),
    ]
    outputs = [value("y", [4]), value("c", [4]), value("s", [1], onnx.TensorProto.INT64)]
    return model_of(nodes, [value("x", [4])], outputs, [weight("w", 2.0)])


def test_what_leaves_in_the_middle_ends_a_block() -> None:
    flow = flow_of(diamond(), without=("s",))
    assert block_around(flow, ["b"], 32) == ("b",)
    assert block_around(flow, ["d"], 32) == ()  # reads b and c, and a block with c in it gives two tensors
    assert block_around(flow, ["y"], 32) == ("y",)


def test_a_block_may_reach_from_the_input_to_the_output() -> None:
    model = diamond()
    del model.graph.output[1:]
    assert block_around(flow_of(model, without=("s",)), ["b"], 32) == ("a", "b", "c", "d", "y")
