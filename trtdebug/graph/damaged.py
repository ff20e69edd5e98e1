"""What no ONNX model holds, though its file can be parsed: element types that nobody knows, nodes without operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

from trtdebug.core.errors import UserError
from trtdebug.graph.walk import all_nodes, all_tensors, bodies


def refuse_damaged(model: onnx.ModelProto, path: Path) -> None:
    """Raises `UserError` where a tensor's element type is none of ONNX, or a node names no operator."""
    known = frozenset(TensorProto.DataType.values())
    for name, code in _element_types(model):
        if code not in known:
            raise UserError(
                f"{path}: tensor {name!r} has element type {code}; onnx {onnx.__version__} knows 1 (FLOAT) to "
                f"{max(known)} ({TensorProto.DataType.Name(max(known))}).",
                "Export the model again; of a type that is newer, install a newer onnx.",
            )
    for node in _nodes(model):
        if not node.op_type:
            who = f"node {node.name!r}" if node.name else f"the node that writes {', '.join(node.output)!r}"
            raise UserError(
                f"{path}: {who} names no operator: its op_type is empty.",
                "Export the model again, or give the node its op_type.",
            )


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from all_nodes(model.graph.node)
    for function in model.functions:
        yield from all_nodes(function.node)


def _element_types(model: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    """Of all stored tensors and of all that are declared, bodies included."""
    yield from ((tensor.name, tensor.data_type) for tensor in all_tensors(model))
    for graph in (model.graph, *(body for node in _nodes(model) for body in bodies(node))):
        yield from _declared((*graph.input, *graph.output, *graph.value_info))
    for function in model.functions:
        yield from _declared(function.value_info)


def _declared(values: Iterable[onnx.ValueInfoProto]) -> Iterator[tuple[str, int]]:
    return ((value.name, _element(value.type)) for value in values)


def _element(type_: onnx.TypeProto) -> int:
    """Element type of a tensor, or of the tensors in a sequence or optional; 0 of what has none."""
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        return int(getattr(type_, kind).elem_type)
    if kind in ("sequence_type", "optional_type"):
        return _element(getattr(type_, kind).elem_type)
    return int(TensorProto.UNDEFINED)
