"""Pieces of a model keep what the builder knows of it: constants, sizes, types of borders."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser

from trtdebug.graph.hoist import held_models
from trtdebug.graph.names import name_nodes
from trtdebug.graph.pieces import Cutter
from trtdebug.graph.types import TensorType, tensor_types
from trtdebug.graph.walk import all_nodes

SHAPES = """g (float[N, 8] x) => (float[N, 2, 4] y) <int64[1] one = {1}, int64[2] tail = {2, 4}, float half = {0.5}> {
    s = Shape(x)
    zero = Constant <value_ints = [0]> ()
    rows = Slice(s, zero, one)
    t = Identity(tail)
    shape = Concat <axis = 0> (rows, t)
    r = Relu(x)
    h = Identity(half)
    m = Mul(r, h)
    y = Reshape(m, shape)
}"""


def parsed(text: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "my" : 1]> {text}')
    name_nodes(model)
    return model


def cutter(text: str, **known) -> Cutter:
    model = parsed(text)
    return Cutter(model, tensor_types(model), **known)


def node(tensor: str) -> str:
    return f"node_of_{tensor}"


def held(model: onnx.ModelProto) -> list[str]:
    return [n.output[0] for n in model.graph.node]


def test_who_computes_a_constant_or_a_size_comes_along() -> None:
    cut = cutter(SHAPES)
    assert cut.needs([node("m")]) == (node("h"),)
    assert set(cut.needs([node("y")])) == {node(t) for t in ("s", "rows", "t", "shape")}
    assert set(cut.needs([node("y")], without=[node("rows")])) == {node("t"), node("shape")}
    assert cut.needs([node("r")]) == ()


def test_a_piece_knows_what_the_model_knows() -> None:
    cut = cutter(SHAPES)
    piece = cut.piece([node("y"), *cut.needs([node("y")])])
    assert held(piece) == ["s", "rows", "t", "shape", "y"]
    assert [i.name for i in piece.graph.input] == ["x", "m"]
    assert {i.name for i in piece.graph.initializer} == {"zero", "one", "tail"}
    onnx.checker.check_model(piece, full_check=True)


def test_a_size_that_depends_on_data_gets_its_recorded_value() -> None:
    text = "g (float[4, 4] x, int64[2] n) => (float y) { m = Add(n, n) y = Reshape(x, m) }"
    cut = cutter(text, recall=lambda tensors: {t: np.array([2, 8]) for t in tensors if t == "m"})
    piece = cut.piece([node("y")])
    assert [i.name for i in piece.graph.input] == ["x"]
    assert [i.name for i in piece.graph.initializer] == ["m"]
    assert [i.name for i in cutter(text).piece([node("y")]).graph.input] == ["x", "m"]


def test_types_that_nobody_told_are_learnt() -> None:
    text = "g (float[2] x) => (float[2] y) { a = my.Odd(x) b = Relu(a) y = Neg(b) }"
    assert cutter(text).blind([node("a")]) == (node("b"), node("y"))
    known = cutter(text, learn=lambda tensors: dict.fromkeys(tensors, TensorType("float32", (2,))))
    assert known.blind([node("a")]) == ()
    assert [i.name for i in known.piece([node("b")]).graph.input] == ["a"]


def test_what_is_declared_behind_an_unknown_operator_can_be_tested() -> None:
    cut = cutter("g (float[2] x) => (float[2] y) <float[2] b> { a = my.Odd(x) b = Relu(a) y = Neg(b) }")
    assert cut.blind([node("a")]) == (node("b"),)


def test_bodies_become_models_with_the_types_around_them() -> None:
    text = """g (float[N, 4] x, bool c) => (float y) <float half = {0.5}> {
        r = Relu(x)
        y = If(c) <
            then_branch = a () => (float p) { q = Mul(r, half) p = Neg(q) },
            else_branch = b () => (float p2) { p2 = Abs(r) }
        >
    }"""
    model = parsed(text)
    then, other = held_models(model, node("y"), tensor_types(model))
    assert held(then) == ["q", "p"]
    assert [i.name for i in then.graph.input] == ["r"]
    assert tensor_types(then)["q"] == TensorType("float32", ("N", 4))
    assert {n.name for n in all_nodes(other.graph.node)} == {"node_of_p2"}
    onnx.checker.check_model(then)


def test_a_loop_is_entered_with_what_it_carries() -> None:
    text = """g (float[2, 2] x, int64 n, bool c) => (float[2, 2] y) {
        y = Loop(n, c, x) <body = b (int64 i, bool ci, float[2, 2] v) => (bool co, float[2, 2] w)
            { co = Identity(ci) d = Relu(v) w = Mul(v, d) }>
    }"""
    model = parsed(text)
    (body,) = held_models(model, node("y"), tensor_types(model))
    assert [i.name for i in body.graph.input] == ["i", "ci", "v"]
    assert tensor_types(body)["d"] == TensorType("float32", (2, 2))


def test_a_called_function_is_inlined_with_its_attributes() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
        g (float[2] x) => (float[2] y) { y = my.twice <a = 0.5> (x) }
        <domain: "my", opset_import: ["" : 17]>
        twice <a> (v) => (w) { l = LeakyRelu <alpha: float = @a> (v) w = Add(l, l) }"""
    )
    name_nodes(model)
    (inlined,) = held_models(model, node("y"), tensor_types(model))
    assert [n.op_type for n in inlined.graph.node] == ["LeakyRelu", "Add"]
    assert inlined.graph.node[0].attribute[0].f == 0.5


def test_a_plain_node_holds_nothing() -> None:
    model = parsed(SHAPES)
    assert held_models(model, node("r"), tensor_types(model)) == ()


def test_a_called_function_is_inlined_with_the_defaults_of_its_attributes() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 17, "my" : 1]>
        g (float[2] x) => (float[2] y) { y = my.leaky(x) }
        <domain: "my", opset_import: ["" : 17]>
        leaky <a: float = 0.25> (v) => (w) { w = LeakyRelu <alpha: float = @a> (v) }"""
    )
    (flat,) = held_models(model, node("y"), tensor_types(model))
    assert [n.attribute[0].f for n in flat.graph.node] == [0.25]
