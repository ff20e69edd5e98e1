"""Calls of functions replaced by what they compute: names, where each node comes of, and what is left."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from function_models import DOMAIN, OPSETS, call, calling, function, nested, one_of_two, scaled
from onnx import helper
from onnx.reference import ReferenceEvaluator
from seed_models import model_of, node, value, weight

from trtdebug.graph.inlined import inlined
from trtdebug.graph.names import name_nodes

X = np.array([1, -2, 3, 4], np.float32)


def names(model: onnx.ModelProto) -> list[str]:
    return [n.name for n in model.graph.node]


def assert_same(model: onnx.ModelProto, flat: onnx.ModelProto) -> None:
    onnx.checker.check_model(flat, full_check=True)
    for expected, found in zip(
        ReferenceEvaluator(model).run(None, {"x": X}),
        ReferenceEvaluator(flat).run(None, {"x": X}),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_model_without_functions_stays():
    model = model_of([node("Neg", ["x"], ["y"], "n")], [value("x", [4])], [value("y", [4])])
    found = inlined(model)
    assert found.model is model
    assert (found.caller("n"), found.of(["n"]), found.left) == ("n", {"n"}, ())


def test_each_call_has_nodes_of_its_own_and_the_attributes_that_it_gives():
    model = one_of_two()
    before = model.SerializeToString()
    found = inlined(model)
    assert model.SerializeToString() == before
    assert not found.model.functions
    assert {found.caller(n) for n in names(found.model)} == {"good", "half", "bad"}
    assert [found.caller(n) for n in names(found.model)] == ["good"] * 3 + ["half"] + ["bad"] * 3
    assert len(found.of(["bad"])) == 3
    assert found.of(["half"]) == {"half"}
    factors = [n.attribute[0].f for n in found.model.graph.node if n.op_type == "Constant"]
    assert factors == [2.0, 60000.0]
    assert_same(model, found.model)


def test_nested_calls_belong_to_the_outermost():
    model = nested()
    found = inlined(model)
    assert [n.op_type for n in found.model.graph.node] == ["Constant", "Mul", "Div", "Neg", "Mul"]
    assert [found.caller(n) for n in names(found.model)] == ["call"] * 4 + ["half"]
    assert all(n.startswith("call/") for n in found.of(["call"]))
    assert_same(model, found.model)


def test_no_name_is_given_twice():
    nodes = [call("Twice", ["x"], ["t"], "c"), node("Neg", ["t"], ["y"], "c/neg__1")]
    twice = function("Twice", [node("Neg", ["a"], ["q"], "neg"), node("Neg", ["q"], ["b"], "")])
    model = calling(nodes, [twice])
    found = inlined(model)
    assert len(set(names(found.model))) == 3
    assert found.caller("c/neg__1") == "c/neg__1"
    assert_same(model, found.model)


def test_weights_keep_their_values_and_no_tensor_takes_the_name_of_one():
    big = weight("u__1", np.arange(4, dtype=np.float32))
    model = calling(
        [call("Scaled", ["x"], ["h"], "c", s=2.0), node("Mul", ["h", "u__1"], ["y"], "m")], [scaled()]
    )
    model.graph.initializer.append(big)
    found = inlined(model)
    assert found.model.graph.initializer == model.graph.initializer
    assert_same(model, found.model)


def branch(output: str) -> onnx.GraphProto:
    return helper.make_graph(
        [call("Scaled", ["x"], [output], "inner", s=2.0)], "branch", [], [value(output, [4])]
    )


def conditional(functions) -> onnx.ModelProto:
    yes = helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    model = calling(
        [node("If", ["yes"], ["y"], "if", then_branch=branch("t"), else_branch=branch("e"))], functions
    )
    model.graph.initializer.append(yes)
    return model


def test_calls_in_bodies_are_replaced():
    model = conditional([scaled()])
    found = inlined(model)
    assert names(found.model) == ["if"]
    assert found.left == ()
    assert not found.model.functions
    assert_same(model, found.model)


def test_functions_to_be_left_whole_stay_within_others_too():
    model = nested()
    found = inlined(model, [(DOMAIN, "Scaled")])
    assert [n.op_type for n in found.model.graph.node] == ["Scaled", "Neg", "Mul"]
    assert found.left == ()
    assert [f.name for f in found.model.functions] == ["Scaled"]
    assert_same(model, found.model)


HANDS_THROUGH = function("F", [node("Neg", ["a"], ["b"], "neg")], outputs=["b", "a"])
OLD = function("F", [node("Neg", ["a"], ["b"], "neg")], opsets=[helper.make_opsetid("", 16)])


@pytest.mark.parametrize("bad", [HANDS_THROUGH, OLD], ids=["hands through", "other opset"])
def test_a_call_that_can_not_be_replaced_is_told(bad):
    around = function("G", [call("F", ["a"], ["b"], "within")])
    nodes = [
        call("F", ["x"], ["h"], "direct"),
        call("Scaled", ["h"], ["k"], "good", s=2.0),
        call("G", ["k"], ["y"], "around"),
    ]
    model = calling(nodes, [bad, around, scaled()])
    found = inlined(model)
    assert found.left == ("direct", "around")
    assert [found.caller(n) for n in names(found.model)] == ["direct", "good", "good", "good", "around"]
    assert [f.name for f in found.model.functions] == ["F"]


def test_a_body_with_a_call_that_can_not_be_replaced_is_told():
    old = scaled()
    del old.opset_import[:]
    old.opset_import.extend([helper.make_opsetid("", 16), OPSETS[1]])
    assert inlined(conditional([old])).left == ("if",)


def test_unnamed_nodes_of_functions_get_names():
    model = calling([call("F", ["x"], ["y"], "")], [function("F", [node("Neg", ["a"], ["b"], "")])])
    name_nodes(model)
    found = inlined(model)
    assert names(found.model) == ["node_of_y/Neg"]


def leaky(reads: str = "alpha") -> onnx.FunctionProto:
    """b = LeakyRelu(a), by default with 0.25."""
    relu = node("LeakyRelu", ["a"], ["b"], "relu")
    relu.attribute.add(name="alpha", ref_attr_name=reads, type=onnx.AttributeProto.FLOAT)
    made = function("Leaky", [relu])
    made.attribute_proto.append(helper.make_attribute(reads, 0.25))
    return made


def test_what_a_call_does_not_give_has_the_functions_default():
    nodes = [call("Leaky", ["x"], ["h"], "default"), call("Leaky", ["h"], ["y"], "given", slope=0.5)]
    found = inlined(calling(nodes, [leaky("slope")]))
    assert [n.attribute[0].f for n in found.model.graph.node] == [0.25, 0.5]


def test_defaults_hold_in_functions_and_bodies_too():
    around = function("Around", [call("Leaky", ["a"], ["b"], "within")])
    found = inlined(calling([call("Around", ["x"], ["y"], "c")], [leaky(), around]))
    assert [n.attribute[0].f for n in found.model.graph.node] == [0.25]


def test_a_default_that_may_be_needed_where_an_attribute_is_handed_on_is_not_guessed():
    """Around has no value for it in this call: then Leaky's own default holds, which ONNX's inliner forgets."""
    within = call("Leaky", ["a"], ["b"], "within")
    within.attribute.add(name="alpha", ref_attr_name="beta", type=onnx.AttributeProto.FLOAT)
    around = function("Around", [within], attributes=["beta"])
    found = inlined(calling([call("Around", ["x"], ["y"], "c")], [leaky(), around]))
    assert found.left == ("c",)
