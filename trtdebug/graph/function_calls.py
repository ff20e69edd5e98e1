"""Calls of a model's own functions: what a node calls, and the attributes that it leaves to their defaults."""

from __future__ import annotations

from typing import TypeAlias

import onnx

from trtdebug.graph.walk import model_nodes

FunctionKey: TypeAlias = tuple[str, str, str]
"""Domain, name and overload."""


def key_of(function: onnx.FunctionProto) -> FunctionKey:
    """What a function is called by."""
    return function.domain, function.name, function.overload


def called_by(node: onnx.NodeProto) -> FunctionKey:
    """The function that a node calls, if the model has it."""
    return node.domain, node.op_type, node.overload


def give_defaults(model: onnx.ModelProto) -> None:
    """Writes into each call, in place, the defaults of the attributes that it does not give.

    ONNX's inliner knows no defaults: it leaves out what was not given.
    """
    defaults = {key_of(f): f.attribute_proto for f in model.functions if f.attribute_proto}
    for node in model_nodes(model) if defaults else ():
        given = {a.name for a in node.attribute}
        node.attribute.extend(a for a in defaults.get(called_by(node), ()) if a.name not in given)


def with_open_defaults(model: onnx.ModelProto) -> set[FunctionKey]:
    """Functions whose defaults may be needed in a call that hands on an attribute of the function around it.

    That one may have no value itself; whether it does shows only where the outer function is called.
    """
    defaults = {key_of(f): {a.name for a in f.attribute_proto} for f in model.functions}
    return {
        called_by(node)
        for node in model_nodes(model)
        for a in node.attribute
        if a.ref_attr_name and a.name in defaults.get(called_by(node), ())
    }
