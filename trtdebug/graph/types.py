"""Types and shapes of a model's tensors, as far as the model and ONNX shape inference tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.walk import all_nodes, captured

Dim: TypeAlias = "int | str | None"
"""A dimension: its size, the name of a dynamic one, or None where nothing is known."""

_NUMPY_NAMES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
}
_SMALL = 1024  # elements; what shape inference reads (Reshape's shape, say) is far smaller
_FLOAT_PREFIXES = ("float", "bfloat")
_SLICE_INPUTS = 5  # with steps
_HUGE = 2.0**30


@dataclass(frozen=True)
class TensorType:
    """Element type and shape of a tensor.

    Attributes:
        dtype: numpy's name ("float32", "int64", "bool"), or ONNX's in lower case where numpy has none
            ("bfloat16", "float8e4m3fn", "string").
        shape: see `Dim`; None when not even the rank is known; () for a scalar.
    """

    dtype: str
    shape: tuple[Dim, ...] | None

    @property
    def is_float(self) -> bool:
        """Whether elements are floating-point numbers of any width."""
        return self.dtype.startswith(_FLOAT_PREFIXES)

    @property
    def is_static(self) -> bool:
        """Whether every dimension is a number."""
        return self.shape is not None and all(isinstance(dim, int) for dim in self.shape)


def dtype_name(code: int) -> str:
    """Name of an ONNX element type (`TensorProto.DataType`)."""
    return _NUMPY_NAMES.get(code) or str(TensorProto.DataType.Name(code)).lower()


def dtype_code(name: str) -> int:
    """ONNX element type of a name that `dtype_name` gives."""
    for code, numpy_name in _NUMPY_NAMES.items():
        if name == numpy_name:
            return int(code)
    return int(TensorProto.DataType.Value(name.upper()))


def value_type(value: onnx.ValueInfoProto) -> TensorType | None:
    """Type that a value info declares; None for sequences, optionals, sparse tensors and undeclared types."""
    if value.type.WhichOneof("value") != "tensor_type":
        return None
    tensor = value.type.tensor_type
    if tensor.elem_type == TensorProto.UNDEFINED:
        return None
    if not tensor.HasField("shape"):
        return TensorType(dtype_name(tensor.elem_type), None)
    return TensorType(dtype_name(tensor.elem_type), tuple(_dim(dim) for dim in tensor.shape.dim))


def value_info(name: str, type_: TensorType | None) -> onnx.ValueInfoProto:
    """A value info of this type; without any type for None."""
    value = onnx.ValueInfoProto(name=name)
    if type_ is not None:
        tensor = value.type.tensor_type
        tensor.elem_type = dtype_code(type_.dtype)
        if type_.shape is not None:
            tensor.shape.SetInParent()
            for size in type_.shape:
                dim = tensor.shape.dim.add()
                if isinstance(size, int):
                    dim.dim_value = size
                elif size:
                    dim.dim_param = size
    return value


def tensor_types(model: onnx.ModelProto) -> dict[str, TensorType]:
    """Types of inputs, outputs, initialisers and intermediates of the top-level graph.

    Declared ones, completed by ONNX shape inference. What neither tells is left out, never guessed.
    """
    return graph_types(infer(model).graph)


def graph_types(graph: onnx.GraphProto) -> dict[str, TensorType]:
    """Types that this graph itself tells: of inputs, outputs, initialisers and intermediates with a value info."""
    types: dict[str, TensorType] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        type_ = value_type(value)
        if type_ is not None:
            types[value.name] = type_
    for tensor in graph.initializer:
        types[tensor.name] = TensorType(dtype_name(tensor.data_type), tuple(tensor.dims))
    for sparse in graph.sparse_initializer:
        types[sparse.values.name] = TensorType(dtype_name(sparse.values.data_type), tuple(sparse.dims))
    return types


def sequences(model: onnx.ModelProto) -> frozenset[str]:
    """What is no tensor in the top-level graph, but a sequence, a map or an optional value, as far as ONNX tells."""
    graph = infer(model).graph
    kinds = {v.name: v.type.WhichOneof("value") for v in (*graph.input, *graph.value_info, *graph.output)}
    return frozenset(
        name for name, kind in kinds.items() if kind in ("sequence_type", "map_type", "optional_type")
    )


def infer(model: onnx.ModelProto, *, strict: bool = False) -> onnx.ModelProto:
    """Runs ONNX shape inference on a copy whose large weights have no values: works beyond 2 GB.

    Nodes may stand in any order. Where inference is impossible (and not `strict`), the copy has the declared
    types only.

    Raises:
        UserError: the graph has a cycle.
        onnx.shape_inference.InferenceError: a node's types or shapes do not fit; only if `strict`.
    """
    light = without_weights(model)
    _sort_nodes(light)
    _import_all_domains(light)
    try:
        return onnx.shape_inference.infer_shapes(
            light, check_type=strict, strict_mode=strict, data_prop=not _has_huge_steps(light)
        )
    except onnx.shape_inference.InferenceError:
        if strict:
            raise
        return light


def _has_huge_steps(model: onnx.ModelProto) -> bool:
    """Whether a Slice strides so far that ONNX, which follows values in 32 bits, reads beyond its memory."""
    nodes = (n for n in all_nodes(model.graph.node) if n.op_type == "Slice" and len(n.input) == _SLICE_INPUTS)
    steps = {node.input[-1] for node in nodes}
    constants = constant_tensors(model) if steps else {}
    values = (numpy_helper.to_array(constants[name]) for name in steps if name in constants)
    return any(np.any(np.abs(value.astype(np.float64)) >= _HUGE) for value in values)


def forget_negative_sizes(graph: onnx.GraphProto) -> None:
    """Of this graph's values, in place: -1 is not known, and ONNX ends the process where a Slice takes from it."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value < 0:
                dim.ClearField("dim_value")


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which large tensors (more than 1024 elements), and sparse ones, are tensors of their type and shape
    without values."""
    light = onnx.ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    _copy_graph(model.graph, light.graph)
    return light


def _sort_nodes(model: onnx.ModelProto) -> None:
    if _are_sorted(model.graph.node):
        return
    index = GraphIndex(model)
    nodes = {node.name: proto for node, proto in zip(index.nodes, model.graph.node, strict=True)}
    if index.order != tuple(nodes):
        ordered = [onnx.NodeProto.FromString(nodes[name].SerializeToString()) for name in index.order]
        del model.graph.node[:]
        model.graph.node.extend(ordered)


def _are_sorted(nodes: Sequence[onnx.NodeProto]) -> bool:
    """Whether each node stands behind those that write what it reads."""
    due = {tensor for node in nodes for tensor in node.output if tensor}
    for node in nodes:
        if not due.isdisjoint((*node.input, *captured(node))):
            return False
        due.difference_update(node.output)
    return True


def _import_all_domains(model: onnx.ModelProto) -> None:
    """Inference gives up on the whole model for one operator whose domain is not imported."""
    known = {opset.domain for opset in model.opset_import}
    for domain in {node.domain for node in all_nodes(model.graph.node)} - known - {"ai.onnx"}:
        model.opset_import.add(domain=domain, version=1)


def _copy_graph(source: onnx.GraphProto, target: onnx.GraphProto) -> None:
    target.name = source.name
    target.input.extend(source.input)
    target.output.extend(source.output)
    target.value_info.extend(source.value_info)
    forget_negative_sizes(target)
    for tensor in source.initializer:
        _copy_tensor(tensor, target.initializer.add())
    for (
        sparse
    ) in source.sparse_initializer:  # as a tensor: ONNX takes what reads a sparse one for sparse, too
        values = sparse.values
        target.initializer.add(name=values.name, data_type=values.data_type, dims=sparse.dims)
    for node in source.node:
        copy = target.node.add(
            name=node.name, op_type=node.op_type, domain=node.domain, overload=node.overload
        )
        copy.input.extend(node.input)
        copy.output.extend(node.output)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _copy_tensor(attribute.t, copy.attribute.add(name=attribute.name, type=attribute.type).t)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                _copy_graph(attribute.g, copy.attribute.add(name=attribute.name, type=attribute.type).g)
            else:
                copy.attribute.append(attribute)


def _copy_tensor(source: onnx.TensorProto, target: onnx.TensorProto) -> None:
    if math.prod(source.dims) <= _SMALL:
        target.CopyFrom(source)
    else:
        target.name = source.name
        target.data_type = source.data_type
        target.dims.extend(source.dims)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    return dim.dim_param or None
