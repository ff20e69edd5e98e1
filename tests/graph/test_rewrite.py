"""What holds for every rewrite: what may go, what keeps its name, and when the opset is raised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from rewriting import assert_left_alone, assert_rewritten, kinds, model_of

from trtdebug.graph.rewrite import Draft, Replacement, Rewrite, apply, rewritten
from trtdebug.graph.view import GraphView

TWO = {"two": np.float32(2)}
X = {"x": np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)}


def find_doubles(view: GraphView) -> Iterator[Replacement]:
    """Mul(Abs(a), 2) becomes Abs(a) + Abs(a)."""
    for node in view.index.nodes:
        split = view.with_number(node) if view.is_op(node, "Mul") else None
        inner = view.writer(split[0], "Abs") if split is not None and split[1] == 2 else None
        if inner is not None:
            draft = Draft(view, node.name)
            half = draft.op("Abs", inner.inputs[0])
            draft.op("Add", half, half, to=node.outputs[0])
            yield draft.instead_of((inner.name, node.name))


DOUBLES = Rewrite("doubles", "doubles", find_doubles)


def rewrite_by(*replacements: Replacement) -> Rewrite:
    return Rewrite("given", "given", lambda view: replacements)


def test_names_of_all_other_nodes_and_tensors_stay() -> None:
    model = model_of("a = Neg(x) b = Abs(a) c = Mul(b, two) y = Exp(c)", [2, 3], TWO)
    result = assert_rewritten(DOUBLES, model, X)
    assert kinds(result) == ["Neg", "Abs", "Add", "Exp"]
    assert {node.name for node in model.graph.node} - {node.name for node in result.graph.node} == {
        "node_of_b",
        "node_of_c",
    }
    assert [v.name for v in result.graph.value_info] == ["a", "c"]
    assert not result.graph.initializer, "two is read by nobody"


def test_a_constant_that_others_read_stays_and_so_does_one_that_nobody_ever_read() -> None:
    values = TWO | {"lonely": np.float32(1)}
    model = model_of("b = Abs(x) c = Mul(b, two) y = Pow(c, two)", [2, 3], values)
    assert {t.name for t in assert_rewritten(DOUBLES, model, X).graph.initializer} == {"two", "lonely"}


def test_constant_nodes_go_with_their_last_reader() -> None:
    model = model_of("t = Constant <value_float = 2.0> () b = Abs(x) c = Mul(b, t) y = Neg(c)", [2, 3])
    result = assert_rewritten(DOUBLES, model, X)
    assert [node.op_type for node in result.graph.node] == ["Abs", "Add", "Neg"]


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        ("b = Abs(x) c = Mul(b, two) y = Add(b, c)", "float y"),
        ("o = Abs(x) y = Mul(o, two)", "float y, float o"),
        (
            "b = Abs(x) c = Mul(b, two) m = ReduceMax <keepdims = 0> (x) k = Cast <to = 9> (m) y = If (k) "
            "<then_branch = t () => (float[2, 3] p) { p = Neg(b) }, "
            "else_branch = e () => (float[2, 3] q) { q = Neg(c) }>",
            "float y",
        ),
    ],
    ids=["another reader", "an output of the graph", "a reader in a body"],
)
def test_what_somebody_else_needs_cannot_go(body: str, outputs: str) -> None:
    assert_left_alone(DOUBLES, model_of(body, [2, 3], TWO, outputs=outputs))


def test_bodies_are_left_alone() -> None:
    body = (
        "m = ReduceMax <keepdims = 0> (x) k = Cast <to = 9> (m) y = If (k) "
        "<then_branch = t () => (float[2, 3] p) { b = Abs(x) p = Mul(b, two) }, "
        "else_branch = e () => (float[2, 3] q) { q = Neg(x) }>"
    )
    assert_left_alone(DOUBLES, model_of(body, [2, 3], TWO))


def test_of_two_that_share_a_node_the_first_is_done() -> None:
    model = model_of("b = Neg(x) y = Neg(b)", [2, 3])
    both = Replacement(("node_of_b", "node_of_y"), (onnx.helper.make_node("Identity", ["x"], ["y"], "i"),))
    one = Replacement(("node_of_b",), (onnx.helper.make_node("Sub", ["b", "x"], ["b"], "s"),))
    view = GraphView(model)
    done = rewritten(view, [both, one])
    assert done is not None
    assert done.done == (both,)


def test_one_that_reads_what_another_took_away_is_not_done() -> None:
    model = model_of("b = Neg(x) c = Neg(b) d = Exp(x) y = Add(c, d)", [2, 3])
    pair = Replacement(("node_of_b", "node_of_c"), same={"c": "x"})
    reads_b = Replacement(("node_of_d",), (onnx.helper.make_node("Exp", ["b"], ["d"], "n"),))
    for order, kept in (((pair, reads_b), pair), ((reads_b, pair), reads_b)):
        done = rewritten(GraphView(model), order)
        assert done is not None
        assert done.done == (kept,)


def test_new_nodes_stand_where_their_inputs_are_written() -> None:
    """The new node reads what is written after the one whose place it takes."""
    model = model_of("b = Neg(x) c = Exp(b) d = Abs(x) y = Add(c, d)", [2, 3])
    late = Replacement(("node_of_b",), (onnx.helper.make_node("Sub", ["x", "d"], ["b"], "late"),))
    result = apply(rewrite_by(late), model)
    assert result is not None
    onnx.checker.check_model(result, full_check=True)
    assert kinds(result) == ["Abs", "Sub", "Exp", "Add"]


@pytest.mark.parametrize(
    "new",
    [
        onnx.helper.make_node("Neg", ["nothing"], ["b"], "n"),
        onnx.helper.make_node("Neg", ["x"], ["y"], "n"),
    ],
    ids=["reads what is not there", "writes what another node writes"],
)
def test_a_replacement_that_makes_no_sense_is_refused(new: onnx.NodeProto) -> None:
    model = model_of("b = Abs(x) y = Neg(b)", [2, 3])
    with pytest.raises(ValueError, match="a replacement of 'node_of_b'"):
        apply(rewrite_by(Replacement(("node_of_b",), (new,))), model)


def with_layer_norm(opset: int) -> Replacement:
    ones = onnx.numpy_helper.from_array(np.ones(3, np.float32), "ones")
    node = onnx.helper.make_node("LayerNormalization", ["x", "ones"], ["b"], "ln", axis=-1)
    return Replacement(("node_of_b",), (node,), (ones,), opset=opset)


def test_the_opset_is_raised_where_every_operator_means_the_same() -> None:
    result = apply(rewrite_by(with_layer_norm(17)), model_of("b = Abs(x) y = Neg(b)", [2, 3]))
    assert result is not None
    onnx.checker.check_model(result, full_check=True)
    assert [(o.domain, o.version) for o in result.opset_import] == [("", 17)]


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("b = Abs(x) y = Softmax <axis = -1> (b)", 12),
        ("b = Abs(x) y = ReduceSum <axes = [1]> (b)", 11),
    ],
    ids=["another Softmax", "axes as an attribute"],
)
def test_the_opset_is_not_raised_over_an_operator_that_changed(body: str, opset: int) -> None:
    assert_left_alone(rewrite_by(with_layer_norm(17)), model_of(body, [2, 3], opset=opset))


def test_a_second_time_there_is_nothing_left_to_do() -> None:
    model = model_of("b = Abs(x) c = Mul(b, two) y = Neg(c)", [2, 3], TWO)
    assert_left_alone(DOUBLES, assert_rewritten(DOUBLES, model, X))
