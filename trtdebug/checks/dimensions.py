"""Operators whose inputs' dimensions do not fit together. Backends often blame a later node."""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx

from trtdebug.core.finding import Finding
from trtdebug.graph.types import TensorType, infer, tensor_types, without_weights
from trtdebug.plugins.types import CheckContext

_BLAMED = re.compile(
    r"\(op_type:(?P<op>.*?), node name: (?P<node>.*?)\): \[ShapeInferenceError\] (?P<what>.*)"
)

_NOT_SHAPES = ("instead is null", "already exists")
"""What inference says of a type that nobody knows, behind an operator that ONNX does not; and of its own mistakes."""


def run(context: CheckContext) -> Iterator[Finding]:
    """`dimension-mismatch`: an error for Gemm and MatMul, a warning for what ONNX shape inference refuses."""
    products = list(_products(context))
    yield from products
    named = {finding.node for finding in products}
    for node, message in _refused(context.model):
        if not products or node not in named:
            yield Finding("dimension-mismatch", "warning", message, node, "Check the shapes that feed it.")
        return  # what follows the first node is mostly its consequence


def _products(context: CheckContext) -> Iterator[Finding]:
    types = tensor_types(context.model)
    for node, proto in zip(context.index.nodes, context.model.graph.node, strict=True):
        if node.op not in ("Gemm", "MatMul") or node.domain not in ("", "ai.onnx") or len(node.inputs) < 2:
            continue
        a, b = types.get(node.inputs[0]), types.get(node.inputs[1])
        flags = {attribute.name: attribute.i for attribute in proto.attribute}
        columns = _size(a, 0 if flags.get("transA") else -1)
        rows = _size(b, 1 if flags.get("transB") else (-2 if b and b.shape and len(b.shape) > 1 else 0))
        if columns is not None and rows is not None and columns != rows:
            transposed = " (transB=1)" if flags.get("transB") else ""
            yield Finding(
                "dimension-mismatch",
                "error",
                f"{node.name!r} ({node.op}) multiplies {node.inputs[0]!r}, {columns} columns, by "
                f"{node.inputs[1]!r}, {rows} rows{transposed}.",
                node.name,
                "They have to be equal: transpose an operand, or drop the transposition.",
            )


def _size(type_: TensorType | None, axis: int) -> int | None:
    if type_ is None or not type_.shape or not -len(type_.shape) <= axis < len(type_.shape):
        return None
    size = type_.shape[axis]
    return size if isinstance(size, int) else None


def _refused(model: onnx.ModelProto) -> Iterator[tuple[str, str]]:
    """(node, message) of each node that strict shape inference refuses, without what the model declares."""
    undeclared = without_weights(model)
    del undeclared.graph.output[:]
    del undeclared.graph.value_info[:]
    try:
        infer(undeclared, strict=True)
    except onnx.shape_inference.InferenceError as error:
        for match in _BLAMED.finditer(str(error)):
            if any(words in match["what"] for words in _NOT_SHAPES):
                continue
            what = f"{match['node']!r} ({match['op']}) gets shapes that do not fit: {match['what']}."
            yield match["node"], what
