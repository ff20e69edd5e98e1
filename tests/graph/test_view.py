"""What patterns ask of a model: known things are told, unknown ones are None."""

from __future__ import annotations

import numpy as np
import pytest
from rewriting import model_of

from trtdebug.graph.view import GraphView


@pytest.mark.parametrize(
    ("body", "opset", "axes"),
    [
        ("y = ReduceMean <axes = [-1, 0]> (x)", 13, (0, 2)),
        ("y = ReduceMean (x, back)", 18, (0, 2)),
        ("y = ReduceSum (x, back)", 13, (0, 2)),
        ("y = ReduceSum <axes = [1]> (x)", 11, (1,)),
        ("y = Unsqueeze(x, back)", 13, (0, 4)),
        ("y = Unsqueeze <axes = [0, -1]> (x)", 11, (0, 4)),
        ("y = Squeeze(x, first)", 13, (0,)),
        ("y = ReduceMean (x)", 13, None),
        ("y = Squeeze(x)", 13, None),
        ("c = Shape(x) k = Slice(c, first, one) y = ReduceSum(x, k)", 13, None),
    ],
)
def test_axes(body: str, opset: int, axes: tuple[int, ...] | None) -> None:
    values = {"back": np.int64([-1, 0]), "first": np.int64([0]), "one": np.int64([1])}
    used = {name: value for name, value in values.items() if name in body}
    view = GraphView(model_of(body, [1, 2, 3], used, opset=opset))
    assert view.axes(view.index.node("node_of_y")) == axes


def test_negative_axes_of_an_unknown_rank_are_not_known() -> None:
    body = (
        "z = Reshape(x, shape) a = ReduceMean <axes = [-1]> (z) b = ReduceMean <axes = [1]> (z) y = Add(a, b)"
    )
    view = GraphView(model_of(body, [4], inputs="int64[N] shape"))
    assert view.rank("z") is None
    assert view.axes(view.index.node("node_of_a")) is None
    assert view.axes(view.index.node("node_of_b")) == (1,)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("y = Mul(x, one)", ("x", 1.0)),
        ("y = Mul(one, x)", ("x", 1.0)),
        ("y = Div(x, one)", ("x", 1.0)),
        ("y = Div(one, x)", None),
        ("y = Mul(x, flat)", ("x", 3.0)),
        ("y = Mul(x, deep)", None),
        ("y = Mul(x, many)", None),
        ("y = Mul(x, x)", None),
        ("y = Mul(one, flat)", None),
    ],
)
def test_a_node_with_a_number(body: str, found: tuple[str, float] | None) -> None:
    values = {
        "one": np.float32(1),
        "flat": np.full((1, 1), 3, np.float32),
        "deep": np.ones((1, 1, 1), np.float32),
        "many": np.ones(3, np.float32),
    }
    used = {name: value for name, value in values.items() if name in body}
    view = GraphView(model_of(body, [2, 3], used))
    assert view.with_number(view.index.node("node_of_y")) == found


def test_constants_of_both_kinds() -> None:
    view = GraphView(
        model_of(
            "c = Constant <value_float = 2.0> () a = Mul(x, c) y = Add(a, w)",
            [2],
            {"w": np.ones(2, np.float32)},
        )
    )
    assert [view.number(t) for t in ("c", "w", "x", "a")] == [2.0, None, None, None]
    assert view.value("w").tolist() == [1, 1]
    assert (view.dtype("c"), view.shape("c")) == ("float32", ())


def test_operators_of_other_domains_are_not_taken_for_onnxs() -> None:
    model = model_of("y = Neg(x)", [2])
    model.graph.node[0].domain = "com.example"
    view = GraphView(model)
    assert view.writer("y") is None
    assert not view.is_op(view.index.node("node_of_y"), "Neg")
