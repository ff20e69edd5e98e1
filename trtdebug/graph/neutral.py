"""Neutral nodes: they hand a tensor on bit by bit, and no builder can tell that they do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtdebug.core.errors import UserError
from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import Dim, TensorType, tensor_types

_OPSET = 11
"""The first with ScatterND."""


def keep_apart(model: onnx.ModelProto, tensors: Iterable[str]) -> onnx.ModelProto:
    """A copy of the model in which a neutral node stands behind what writes each of these tensors.

    The node writes the tensor's first element into the tensor, where it stands already (ScatterND): NaN, Inf and
    the sign of zero stay as they are, whatever the type. To drop it, a builder would have to know that the values
    are equal. A tensor that some input may leave without an element gets nothing written then: only where a size is
    neither known nor one of the model's inputs, since that takes two more nodes. Names of tensors and nodes stay; the
    writer's own output gets a new name.

    Raises:
        UserError: no node writes the tensor; it is no float of known rank, at least 1, or has no element; the opset
            is below 11.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    types, names = tensor_types(copy), FreshNames(names_in(copy.graph))
    inputs = (types[value.name] for value in copy.graph.input if value.name in types)  # a sequence is not
    given = {dim for kind in inputs for dim in kind.shape or () if isinstance(dim, str)}
    for tensor in dict.fromkeys(tensors):
        shape = _shape(copy, tensor, types)
        may_be_empty = any(not isinstance(dim, int) and dim not in given for dim in shape)
        _insert(copy, tensor, len(shape), names, may_be_empty)
    return copy


def _shape(model: onnx.ModelProto, tensor: str, types: Mapping[str, TensorType]) -> tuple[Dim, ...]:
    hint = "Mark it as an output instead."
    if all(tensor not in node.output for node in model.graph.node):
        raise UserError(f"{tensor!r} is written by no node of the model.", "Name a tensor that one writes.")
    opset = opset_of(model)
    if opset < _OPSET:
        raise UserError(
            f"a neutral node behind {tensor!r} takes opset {_OPSET}; the model has {opset}.", hint
        )
    kind = types.get(tensor)
    if kind is None or not kind.is_float or not kind.shape or 0 in kind.shape:
        told = "of unknown type" if kind is None else f"of type {kind.dtype}, shape {kind.shape}"
        raise UserError(
            f"a neutral node takes floats of known rank, at least 1, and an element; {tensor!r} is {told}.",
            hint,
        )
    return kind.shape


def _insert(model: onnx.ModelProto, tensor: str, rank: int, names: FreshNames, may_be_empty: bool) -> None:
    graph = model.graph
    place, writer = next((i, n) for i, n in enumerate(graph.node) if tensor in n.output)
    inner = names.fresh(f"{tensor}__kept")
    writer.output[list(writer.output).index(tensor)] = inner
    for value in [v for v in graph.value_info if v.name == tensor]:  # both are of that type
        graph.value_info.add().CopyFrom(value)
        graph.value_info[-1].name = inner

    def constant(what: str, values: list[int] | list[list[int]]) -> str:
        name = names.fresh(f"{tensor}__{what}")
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def node(op: str, inputs: list[str], what: str, output: str | None = None) -> str:
        nonlocal place
        place += 1
        name = names.fresh(f"{tensor}__{what}")
        graph.node.insert(place, helper.make_node(op, inputs, [output or name], name))
        return output or name

    corner = node("Slice", [inner, constant("start", [0] * rank), constant("end", [1] * rank)], "corner")
    first = node("Reshape", [corner, constant("one", [-1 if may_be_empty else 1])], "first")
    where = constant("place", [[0] * rank])
    if (
        may_be_empty
    ):  # as many places as there are first elements; TensorRT 8.6 takes no Slice of fewer axes unnamed
        bounds = [constant("none", [0]), node("Shape", [first], "count"), constant("axis", [0])]
        where = node("Slice", [where, *bounds], "places")
    node("ScatterND", [inner, where, first], "apart", tensor)
