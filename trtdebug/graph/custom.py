"""Custom operators of a model: nodes that neither ONNX nor the model's own functions define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx
from onnx import defs

from trtdebug.graph.names import node_names
from trtdebug.graph.walk import all_nodes

OperatorKind = tuple[str, str]
"""Domain ("" for ONNX's own) and type of an operator."""


def kind_of(node: onnx.NodeProto) -> OperatorKind:
    """Which operator a node is of."""
    return ("" if node.domain == "ai.onnx" else node.domain, node.op_type)


def kind_name(kind: OperatorKind) -> str:
    """How operators are named: "domain::type"; the type alone for ONNX's own domain."""
    return "::".join(part for part in kind if part)


def custom_kinds(model: onnx.ModelProto) -> dict[OperatorKind, str]:
    """Operators that neither ONNX (in any version) nor the model defines -> where one stands first.

    That is the top-level node that is or holds it, or one of the model's functions.
    """
    functions = {(function.domain, function.name) for function in model.functions}
    found: dict[OperatorKind, str] = {}
    for kind, name in _kinds(model):
        if kind not in functions and not defs.has(kind[1], kind[0]):
            found.setdefault(kind, name)
    return found


def top_level(model: onnx.ModelProto, kinds: Iterable[OperatorKind]) -> dict[str, OperatorKind]:
    """Names of the top-level nodes of these operators."""
    wanted = set(kinds)
    named = zip(node_names(model), model.graph.node, strict=True)
    return {name: kind_of(node) for name, node in named if kind_of(node) in wanted}


def nested(model: onnx.ModelProto, kinds: Iterable[OperatorKind]) -> Mapping[OperatorKind, str]:
    """Those of these operators that stand in bodies or in the model's functions -> in what, in words."""
    wanted = set(kinds)
    found: dict[OperatorKind, str] = {}
    for name, node in zip(node_names(model), model.graph.node, strict=True):
        for inner in all_nodes([node]):
            if inner is not node and kind_of(inner) in wanted:
                found.setdefault(kind_of(inner), f"a body of {node.op_type} {name!r}")
    for function in model.functions:
        for inner in all_nodes(function.node):
            if kind_of(inner) in wanted:
                found.setdefault(kind_of(inner), f"the function {function.domain}::{function.name}")
    return found


def _kinds(model: onnx.ModelProto) -> Iterator[tuple[OperatorKind, str]]:
    for name, node in zip(node_names(model), model.graph.node, strict=True):
        for inner in all_nodes([node]):
            yield kind_of(inner), name
    for function in model.functions:
        for inner in all_nodes(function.node):
            yield kind_of(inner), f"{function.domain}::{function.name}"
