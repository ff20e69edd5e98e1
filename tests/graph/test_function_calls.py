"""Which function a node calls, and the defaults of attributes that a call does not give."""

from __future__ import annotations

import onnx
from function_models import DOMAIN, call, calling, function
from onnx import helper
from seed_models import node, value

from trtdebug.graph.function_calls import called_by, give_defaults, key_of, with_open_defaults


def leaky() -> onnx.FunctionProto:
    relu = node("LeakyRelu", ["a"], ["b"], "relu")
    relu.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    made = function("Leaky", [relu])
    made.attribute_proto.append(helper.make_attribute("slope", 0.25))
    return made


def slope(call_: onnx.NodeProto) -> float:
    [given] = [a.f for a in call_.attribute if a.name == "slope"]
    return given


def test_a_call_and_its_function_have_one_key():
    assert key_of(leaky()) == called_by(call("Leaky", ["x"], ["y"], "c")) == (DOMAIN, "Leaky", "")


def test_calls_get_the_defaults_that_they_do_not_give_wherever_they_stand():
    branch = helper.make_graph([call("Leaky", ["x"], ["t"], "inner")], "b", [], [value("t", [4])])
    around = function("Around", [call("Leaky", ["a"], ["b"], "within")])
    nodes = [
        call("Leaky", ["x"], ["h"], "default"),
        call("Leaky", ["h"], ["k"], "given", slope=0.5),
        node("If", ["yes"], ["y"], "if", then_branch=branch, else_branch=branch),
    ]
    model = calling(nodes, [leaky(), around])
    give_defaults(model)
    default, given, conditional = model.graph.node
    assert (slope(default), slope(given)) == (0.25, 0.5)
    assert [slope(a.g.node[0]) for a in conditional.attribute] == [0.25, 0.25]
    assert slope(model.functions[1].node[0]) == 0.25


def test_a_default_is_open_where_an_attribute_is_handed_on():
    within = call("Leaky", ["a"], ["b"], "within")
    model = calling([call("Around", ["x"], ["y"], "c")], [leaky(), function("Around", [within])])
    assert with_open_defaults(model) == set()
    model.functions[1].node[0].attribute.add(
        name="slope", ref_attr_name="beta", type=onnx.AttributeProto.FLOAT
    )
    assert with_open_defaults(model) == {(DOMAIN, "Leaky", "")}
