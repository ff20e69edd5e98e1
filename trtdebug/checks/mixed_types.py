"""Operators whose inputs need one type and have two."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import defs

from trtdebug.core.finding import Finding
from trtdebug.graph.index import Node
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import tensor_types
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`mixed-types` for each node where inputs of one type variable differ (float32 and float64, say)."""
    types = tensor_types(context.model)
    opset = opset_of(context.model)
    for node in context.index.nodes:
        first: dict[str, str] = {}
        for tensor, variable in _variables(node, opset):
            if tensor not in types:
                continue
            other = first.setdefault(variable, tensor)
            if types[other].dtype != types[tensor].dtype:
                yield Finding(
                    "mixed-types",
                    "error",
                    f"{node.name!r} ({node.op}) has inputs of two types: {other!r} is {types[other].dtype}, "
                    f"{tensor!r} is {types[tensor].dtype}.",
                    node.name,
                    f"Convert {tensor!r} to {types[other].dtype}. TensorRT may build it all the same, "
                    "onnxruntime does not.",
                )
                break


def _variables(node: Node, opset: int) -> Iterator[tuple[str, str]]:
    """(tensor, type variable of the operator's schema) of each input that is there."""
    if node.domain not in ("", "ai.onnx") or not defs.has(node.op, max_inclusive_version=opset):
        return
    formal = defs.get_schema(node.op, max_inclusive_version=opset, domain="").inputs
    if not formal:
        return
    for position, tensor in enumerate(node.inputs):
        parameter = formal[min(position, len(formal) - 1)]
        if tensor and parameter.is_homogeneous:
            yield tensor, parameter.type_str
