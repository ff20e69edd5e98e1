"""Which layers get a precision, on the plain facts of network layers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from trtdebug.backends.tensorrt.layers import LayerFacts, TensorFacts
from trtdebug.backends.tensorrt.precision import (
    PINNED_FILE,
    Assignment,
    plan_precision,
    refusal,
    skipped_note,
    write_pinned,
)


def layer(index: int, kind: str = "ELEMENTWISE", inputs=(), outputs=(), **more) -> LayerFacts:
    tensors = outputs or (TensorFacts(f"t{index}", "FLOAT"),)
    return LayerFacts(index, kind, f"l{index}", "", tuple(inputs), tuple(tensors), **more)


FLOAT, INT = TensorFacts("f", "FLOAT"), TensorFacts("i", "INT32")


@pytest.mark.parametrize(
    ("facts", "op", "reason"),
    [
        (layer(0), "Add", None),
        (layer(0, "NORMALIZATION"), "LayerNormalization", None),
        (layer(0, "CONSTANT"), None, "a constant"),
        (layer(0, "CAST"), "Cast", "a cast"),
        (layer(0, "SHAPE", outputs=[INT]), "Shape", "works on shapes"),
        (layer(0, outputs=[INT]), "Add", "no float output"),
        (layer(0, outputs=[TensorFacts("b", "BOOL")]), "Greater", "no float output"),
        (layer(0, "TOPK", outputs=[FLOAT, INT]), "TopK", "outputs of mixed types"),
        (layer(0, outputs=[FLOAT, TensorFacts("", "NONE")]), "Split", None),
        (layer(0, outputs=[TensorFacts("s", "FLOAT", is_shape=True)]), "Mul", "works on shapes"),
        (layer(0, outputs=[TensorFacts("s", "FLOAT", is_execution=False)]), "Mul", "works on shapes"),
        (layer(0, reads_shape=True), "Mul", "works on shapes"),
        (layer(0, in_body=True), "Add", "inside a loop, a conditional or a recurrent node"),
        (layer(0, "MATRIX_MULTIPLY"), "LSTM", "inside a loop, a conditional or a recurrent node"),
        (layer(0, "PLUGIN_V2"), "MyOp", "a plugin"),
    ],
)
def test_what_can_be_set(facts: LayerFacts, op: str | None, reason: str | None) -> None:
    assert refusal(facts, op) == reason


def test_every_layer_of_a_node_gets_the_nodes_precision() -> None:
    layers = [layer(0, "MATRIX_MULTIPLY"), layer(1, inputs=["t0"]), layer(2, inputs=["t1"])]
    owned = {0: "gemm", 1: "gemm", 2: "relu"}
    found = plan_precision(layers, owned, {"gemm": "Gemm", "relu": "Relu"}, {"gemm": "fp32", "relu": "fp16"})
    assert found.assignments == (
        Assignment(0, "fp32", (0,)),
        Assignment(1, "fp32", (0,)),
        Assignment(2, "fp16", (0,)),
    )
    assert found.skipped == {}


def test_nodes_that_nobody_asked_for_stay_free() -> None:
    layers = [layer(0), layer(1, inputs=["t0"])]
    found = plan_precision(layers, {0: "a", 1: "b"}, {"a": "Relu", "b": "Relu"}, {"b": "fp32"})
    assert [a.layer for a in found.assignments] == [1]


@pytest.mark.parametrize(
    ("asked", "helper"),
    [
        ({"a": "fp16", "b": "fp16"}, "fp16"),
        ({"a": "fp16", "b": "fp32"}, "fp32"),  # a small epsilon must reach the pinned node whole
        ({"b": "fp32"}, "fp32"),
        ({"a": "fp16"}, None),
        ({}, None),
    ],
)
def test_a_helper_follows_its_readers(asked: dict, helper: str | None) -> None:
    layers = [
        layer(0, "CONSTANT"),
        layer(1, "SHUFFLE", inputs=["t0"]),
        layer(2, inputs=["t1"]),
        layer(3, inputs=["t1"]),
    ]
    found = plan_precision(layers, {2: "a", 3: "b"}, {"a": "Add", "b": "Add"}, asked)
    by_layer = {a.layer: a.dtype for a in found.assignments}
    assert by_layer.get(1) == helper
    assert 0 not in by_layer


def test_skipped_and_absent_nodes_are_told_apart() -> None:
    layers = [
        layer(0, "CAST"),
        layer(1, "TOPK", inputs=["t0"], outputs=[FLOAT, INT]),
        layer(2, "CONSTANT"),
        layer(3, inputs=["f"]),
    ]
    owned = {0: "cast", 1: "topk", 2: "add", 3: "add"}
    ops = {"cast": "Cast", "topk": "TopK", "add": "Add", "folded": "Mul"}
    found = plan_precision(layers, owned, ops, dict.fromkeys(ops, "fp16"))
    assert found.skipped == {"cast": "a cast", "topk": "outputs of mixed types"}
    assert found.absent == ("folded",)
    assert [a.layer for a in found.assignments] == [3]


def test_the_note_counts_all_and_names_some() -> None:
    note = skipped_note({f"n{k}": "a cast" for k in range(7)})
    assert note.startswith("the precision of 7 node(s) cannot be set: n0 (a cast)")
    assert note.endswith("and 2 more")
    assert skipped_note({}) == ""


def test_nodes_whose_work_lies_in_a_body_are_told() -> None:
    """The parser names an If's layers after the nodes in it, of which one is called as one outside."""
    layers = [layer(0, "CONDITION", outputs=[TensorFacts("c", "BOOL")], in_body=True), layer(1, in_body=True)]
    layers += [layer(2, "CONDITIONAL_OUTPUT", inputs=["t1"], in_body=True), layer(3, inputs=["t2"])]
    owned = {1: "add", 3: "add"}
    ops = {"if": "If", "add": "Add", "sum": "CumSum"}
    found = plan_precision(layers, owned, ops, dict.fromkeys(ops, "fp16"))
    assert found.assignments == (Assignment(3, "fp16", (0,)),)
    inside = "inside a loop, a conditional or a recurrent node"
    assert found.skipped == {"if": inside, "sum": inside}
    assert found.absent == ()


def test_a_helper_for_a_body_stays_free() -> None:
    """The parser puts the constants of a body among its layers, where no border tells that they are in it."""
    layers = [layer(0, "SHUFFLE"), layer(1, inputs=["t0"], in_body=True), layer(2, inputs=["t1"])]
    found = plan_precision(layers, {2: "add"}, {"add": "Add"}, {"add": "fp16"})
    assert [a.layer for a in found.assignments] == [2]


def test_what_is_set_in_the_end_is_written_by_the_layers_names(tmp_path: Path) -> None:
    """One was freed, since TensorRT did not build with it."""
    layers = [
        SimpleNamespace(name="a", precision_is_set=True, num_outputs=1),
        SimpleNamespace(name='b, "c"', precision_is_set=True, num_outputs=2),
        SimpleNamespace(name="freed", precision_is_set=False, num_outputs=1),
    ]
    network = SimpleNamespace(get_layer=layers.__getitem__)
    path = tmp_path / "trial" / PINNED_FILE
    write_pinned(path, network, [Assignment(i, "fp32", (0,)) for i in range(3)])
    assert json.loads(path.read_text()) == [
        {"name": "a", "dtype": "fp32", "outputs": 1},
        {"name": 'b, "c"', "dtype": "fp32", "outputs": 2},
    ]
