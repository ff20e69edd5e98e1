"""Operators that ONNX does not know, or that need a plugin."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import defs

from trtdebug.core.finding import Finding, Severity
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.walk import all_nodes
from trtdebug.plugins.types import CheckContext

_ONNX = ("", "ai.onnx")
_LIBRARY = "Name the library that implements it with --plugins"
_PLUGIN = f"{_LIBRARY}, and an implementation for the reference with --operators (docs/custom-operators.md)."


def run(context: CheckContext) -> Iterator[Finding]:
    """`unknown-operator` in ONNX's own domain, `custom-operator` in others; one finding for each kind.

    Operators that the model defines itself as functions are known, and where plugin libraries are given, those of
    other domains are taken to be theirs; so are unknown ones that the reference runs: exporters may give custom
    operators no domain, and onnxruntime has some of its own there. A node in a body is reported by the node of the
    graph that holds the body; one in a function, where it is of another domain, by the function.
    """
    opset = opset_of(context.model)
    functions = {(function.domain, function.name) for function in context.model.functions}
    runs = context.reference is not None
    seen: set[tuple[str, str]] = set()
    for holder, top in zip(context.index.nodes, context.model.graph.node, strict=True):
        for node in all_nodes([top]):
            kind = (node.domain, node.op_type)
            if kind in seen or kind in functions:
                continue
            seen.add(kind)
            how = "is" if node is top else "holds"
            if node.domain not in _ONNX:
                if context.plugins:
                    continue
                yield _custom(holder.name, *kind, how, holder.name)
            elif not (_known(node.op_type, opset) or (runs and context.plugins)):
                severity: Severity = "warning" if runs else "error"
                yield _unknown(severity, holder.name, node.op_type, opset, context.index, how)
    if not context.plugins:
        for function in context.model.functions:
            for node in all_nodes(function.node):
                kind = (node.domain, node.op_type)
                if node.domain not in _ONNX and kind not in seen | functions:
                    seen.add(kind)
                    yield _custom(f"{function.domain}::{function.name}", *kind, "holds", None)


def _known(op: str, opset: int) -> bool:
    if opset > defs.onnx_opset_version():
        return defs.has(op)  # newer than this onnx: judged by the newest it knows
    return defs.has(op, max_inclusive_version=opset)


def _custom(holder: str, domain: str, op: str, how: str, node: str | None) -> Finding:
    of_onnx = defs.has(op, domain)  # ai.onnx.ml, say, which onnxruntime has
    whose = "which TensorRT does not have" if of_onnx else "which is not of ONNX"
    return Finding(
        "custom-operator",
        "warning",
        f"{holder!r} {how} a {domain}::{op}, {whose}: TensorRT needs a plugin for it.",
        node,
        f"{_LIBRARY}." if of_onnx else _PLUGIN,
    )


def _unknown(severity: Severity, node: str, op: str, opset: int, index: GraphIndex, how: str) -> Finding:
    count = sum(other.op == op and other.name != node for other in index.nodes)
    others = f", and {count} more nodes" if count else ""
    newer = f" (it came later than opset {opset})" if defs.has(op) else ""
    return Finding(
        "unknown-operator",
        severity,
        f"ONNX opset {opset} has no operator {op}{newer}; {node!r} {how} one{others}.",
        node,
        "Export with a newer opset." if newer else _PLUGIN,
    )
