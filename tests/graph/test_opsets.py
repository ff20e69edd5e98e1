"""Which operators mean the same in a later opset."""

from __future__ import annotations

import onnx
import pytest
from rewriting import model_of

from trtdebug.graph.opsets import can_raise, raise_opset


@pytest.mark.parametrize(
    ("body", "opset", "can"),
    [
        ("b = Relu(x) c = MatMul(b, x) y = Add(b, c)", 13, True),
        ("y = Reshape(x, x2)", 13, True),
        ("y = ReduceMean <axes = [0]> (x)", 13, True),
        ("y = Softmax <axis = -1> (x)", 11, False),
        ("y = Softmax <axis = -1> (x)", 13, True),
        ("y = ReduceSum <axes = [0]> (x)", 11, False),
        ("y = Dropout (x)", 11, False),
    ],
)
def test_to_17(body: str, opset: int, can: bool) -> None:
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[2, 2] x, int64[1] x2) => (float y) {{ {body} }}'
    )
    assert can_raise(model, 17) == can


def test_operators_in_bodies_count() -> None:
    body = (
        "m = ReduceMax <keepdims = 0> (x) k = Cast <to = 9> (m) y = If (k) "
        "<then_branch = t () => (float[2, 2] p) { p = Softmax <axis = 1> (x) }, "
        "else_branch = e () => (float[2, 2] q) { q = Neg(x) }>"
    )
    assert not can_raise(model_of(body, [2, 2], opset=12), 17)
    assert can_raise(model_of(body, [2, 2], opset=13), 17)


def test_reductions_have_other_axes_from_18_on() -> None:
    assert not can_raise(model_of("y = ReduceMean <axes = [0]> (x)", [2, 2], opset=17), 18)


def test_other_domains_stay() -> None:
    model = model_of("y = Neg(x)", [2, 2])
    model.opset_import.add(domain="com.example", version=3)
    model.graph.node.add(op_type="Custom", domain="com.example", input=["x"], output=["z"])
    assert can_raise(model, 17)
    raise_opset(model, 17)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17), ("com.example", 3)]


def test_a_model_with_functions_is_left_alone() -> None:
    model = model_of("y = Neg(x)", [2, 2])
    model.functions.add(name="f", domain="local")
    assert not can_raise(model, 17)
