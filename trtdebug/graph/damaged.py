"""What no ONNX model holds, though its file can be parsed: element types that nobody knows, nodes without operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

from trtdebug.core.errors import UserError
from trtdebug.graph.custom import kind_of
from trtdebug.graph.walk import all_tensors, bodies, model_nodes

_TYPES = frozenset({"to", "dtype", "output_datatype", "stash_type", "softmax_precision"})
"""Attributes of ONNX's operators that are an element type."""
_TYPES_OR_0 = frozenset({"output_dtype", "precision"})
"""The same, but 0 says that it follows from the inputs."""


def refuse_damaged(model: onnx.ModelProto, path: Path) -> None:
    """Raises `UserError` where an element type is none of ONNX, or a node names no operator."""
    known = frozenset(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}
    for who, code in _element_types(model):
        if code not in known:
            raise UserError(
                f"{path}: {who} has element type {code}; onnx {onnx.__version__} knows 1 (FLOAT) to "
                f"{max(known)} ({TensorProto.DataType.Name(max(known))}).",
                "Export the model again; of a type that is newer, install a newer onnx.",
            )
    for node in model_nodes(model):
        if not node.op_type:
            raise UserError(
                f"{path}: {_told(node)} names no operator: its op_type is empty.",
                "Export the model again, or give the node its op_type.",
            )


def _told(node: onnx.NodeProto) -> str:
    return f"node {node.name!r}" if node.name else f"the node that writes {', '.join(node.output)!r}"


def _element_types(model: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    """What has an element type, and which: 0 where it has to have one and does not say it."""
    yield from ((f"tensor {tensor.name!r}", tensor.data_type) for tensor in all_tensors(model))
    yield from _declared((*model.graph.input, *model.graph.output))
    inner = [body for node in model_nodes(model) for body in bodies(node)]
    for values in (
        model.graph.value_info,
        *((*body.input, *body.output, *body.value_info) for body in inner),
        *(function.value_info for function in model.functions),
    ):
        yield from ((who, code) for who, code in _declared(values) if code)
    for node in model_nodes(model):
        yield from _in_attributes(node)


def _declared(values: Iterable[onnx.ValueInfoProto]) -> Iterator[tuple[str, int]]:
    for value in values:
        if (code := _element(value.type)) is not None:
            yield f"tensor {value.name!r}", code


def _element(type_: onnx.TypeProto) -> int | None:
    """Element type of a tensor, or of the tensors in a sequence or optional; None of what has none."""
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        return int(getattr(type_, kind).elem_type)
    if kind in ("sequence_type", "optional_type"):
        return _element(getattr(type_, kind).elem_type)
    return None


def _in_attributes(node: onnx.NodeProto) -> Iterator[tuple[str, int]]:
    """Element types that an operator of ONNX is told; in a function's body not those that a call gives."""
    for attribute in () if kind_of(node)[0] else node.attribute:
        is_number = attribute.type == onnx.AttributeProto.INT and not attribute.ref_attr_name
        if is_number and (attribute.name in _TYPES or (attribute.name in _TYPES_OR_0 and attribute.i)):
            yield f"attribute {attribute.name!r} of {_told(node)} ({node.op_type})", attribute.i
