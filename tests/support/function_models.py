"""Models that call functions of their own, in which FP16 overflows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper
from seed_models import model_of, node, value, weight

DOMAIN = "my"
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]


def function(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[str] = ("a",),
    outputs: Sequence[str] = ("b",),
    attributes: Sequence[str] = (),
    opsets: Sequence[onnx.OperatorSetIdProto] = tuple(OPSETS),
) -> onnx.FunctionProto:
    return helper.make_function(
        DOMAIN, name, list(inputs), list(outputs), list(nodes), list(opsets), list(attributes)
    )


def call(op: str, reads: Sequence[str], writes: Sequence[str], name: str, **attributes) -> onnx.NodeProto:
    return node(op, list(reads), list(writes), name, domain=DOMAIN, **attributes)


def scaled(name: str = "Scaled") -> onnx.FunctionProto:
    """b = a * s / s: overflows in FP16 where |a * s| > 65504. `s` is an attribute."""
    factor = node("Constant", [], ["s"], "factor")
    factor.attribute.add(name="value_float", ref_attr_name="s", type=onnx.AttributeProto.FLOAT)
    return function(
        name,
        [factor, node("Mul", ["a", "s"], ["u"], "up"), node("Div", ["u", "s"], ["b"], "down")],
        attributes=["s"],
    )


def outer() -> onnx.FunctionProto:
    """b = -scaled(a), with a factor that overflows: a function that calls another one."""
    return function(
        "Outer", [call("Scaled", ["a"], ["t"], "within", s=60000.0), node("Neg", ["t"], ["b"], "neg")]
    )


def calling(
    calls: Sequence[onnx.NodeProto], functions: Sequence[onnx.FunctionProto], outputs: Sequence[str] = ("y",)
) -> onnx.ModelProto:
    """A model of these nodes that reads x, of shape [4], and has a weight w."""
    model = model_of(
        calls, [value("x", [4])], [value(o, [4]) for o in outputs], [weight("w", np.full(4, 0.5, np.float32))]
    )
    del model.opset_import[:]
    model.opset_import.extend(OPSETS)
    model.functions.extend(functions)
    return model


def one_of_two() -> onnx.ModelProto:
    """One function called twice; only "bad" overflows in FP16."""
    nodes = [
        call("Scaled", ["x"], ["h"], "good", s=2.0),
        node("Mul", ["h", "w"], ["g"], "half"),
        call("Scaled", ["g"], ["y"], "bad", s=60000.0),
    ]
    return calling(nodes, [scaled()])


def fault_outside() -> onnx.ModelProto:
    """A function that does well, and an overflow around it."""
    nodes = [
        call("Scaled", ["x"], ["h"], "good", s=2.0),
        node("Mul", ["h", "k"], ["u"], "up"),
        node("Div", ["u", "k"], ["y"], "down"),
    ]
    model = calling(nodes, [scaled()])
    model.graph.initializer.append(weight("k", 60000.0))
    return model


def nested() -> onnx.ModelProto:
    """The overflow is in a function that a function calls."""
    return calling(
        [call("Outer", ["x"], ["h"], "call"), node("Mul", ["h", "w"], ["y"], "half")], [scaled(), outer()]
    )


def old_function() -> onnx.ModelProto:
    """Its function is of an older opset than the model, so ONNX does not inline it."""
    old = scaled()
    del old.opset_import[:]
    old.opset_import.extend([helper.make_opsetid("", 16), OPSETS[1]])
    return calling([call("Scaled", ["x"], ["h"], "old", s=2.0), node("Neg", ["h"], ["y"], "neg")], [old])
