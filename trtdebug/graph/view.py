"""A model as patterns read it: who writes a tensor, what is constant, of which type, and over which axes."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import onnx
from numpy.typing import NDArray

from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.mapped import values_of
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import Dim, TensorType, tensor_types

_AXES_BY_INPUT = {
    "ReduceSum": 13,
    "Squeeze": 13,
    "Unsqueeze": 13,
    **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare"), 18),
}
"""Operators that give axes as an attribute -> the opset from which they are the second input instead."""


class GraphView:
    """Reads the top-level graph of a model; follows no later change. What is not known is None, never guessed.

    Attributes:
        model: nodes named. Not to be changed.
        index: producers, consumers, order. What bodies of If, Loop and Scan read counts as read.
        opset: version of ONNX's own operators; 1 where the model imports none.
        names: gives names that nothing in the model has.
    """

    def __init__(self, model: onnx.ModelProto, index: GraphIndex | None = None) -> None:
        self.model = model
        self.index = index or GraphIndex(model)
        self.opset = opset_of(model)

    @cached_property
    def names(self) -> FreshNames:
        return FreshNames(names_in(self.model.graph))

    @cached_property
    def _types(self) -> dict[str, TensorType]:
        return tensor_types(self.model)

    @cached_property
    def _constants(self) -> dict[str, onnx.TensorProto]:
        return constant_tensors(self.model)

    @cached_property
    def _protos(self) -> dict[str, onnx.NodeProto]:
        named = zip(self.index.nodes, self.model.graph.node, strict=True)
        return {node.name: proto for node, proto in named}

    # nodes ------------------------------------------------------------------------------------------------

    def proto(self, name: str) -> onnx.NodeProto:
        """The node of this name as it stands in the model."""
        return self._protos[name]

    def is_op(self, node: Node, *ops: str) -> bool:
        """Whether the node is one of ONNX's own operators, of these kinds where any are given."""
        return node.domain in ("", "ai.onnx") and (not ops or node.op in ops)

    def writer(self, tensor: str, *ops: str) -> Node | None:
        """The node that writes the tensor, if it is one of ONNX's own operators (of these kinds)."""
        name = self.index.producer.get(tensor)
        node = self.index.node(name) if name is not None else None
        return node if node is not None and self.is_op(node, *ops) else None

    def readers(self, tensor: str) -> tuple[Node, ...]:
        """The nodes that read the tensor, in file order."""
        return tuple(self.index.node(name) for name in self.index.consumers.get(tensor, ()))

    def attribute(self, node: Node, name: str, default: Any = None) -> Any:
        """Value of an attribute, `default` where it is not written."""
        for attribute in self._protos[node.name].attribute:
            if attribute.name == name:
                return onnx.helper.get_attribute_value(attribute)
        return default

    def axes(self, node: Node) -> tuple[int, ...] | None:
        """Axes of a reduction, a Squeeze or an Unsqueeze, from 0 on and sorted, by attribute or by constant input.

        Those of Unsqueeze count in its output. None where they are not given, not constant or not unique, or where
        negative ones cannot be resolved for want of a rank.
        """
        if self.opset < _AXES_BY_INPUT.get(node.op, 0):
            given = self.attribute(node, "axes")
        else:
            value = self.value(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
            given = None if value is None else [int(axis) for axis in value.reshape(-1)]
        if not given:
            return None
        rank = self.rank(node.outputs[0] if node.op == "Unsqueeze" else node.inputs[0])
        if rank is None:
            return tuple(sorted(given)) if min(given) >= 0 and len(set(given)) == len(given) else None
        axes = {axis + rank if axis < 0 else axis for axis in given}
        fits = len(axes) == len(given) and all(0 <= axis < rank for axis in axes)
        return tuple(sorted(axes)) if fits else None

    def keeps_dims(self, node: Node) -> bool:
        """Whether a reduction keeps the axes that it reduces, with size 1."""
        return bool(self.attribute(node, "keepdims", 1))

    # tensors ----------------------------------------------------------------------------------------------

    def is_constant(self, tensor: str) -> bool:
        """Whether it is an initialiser or what a Constant node writes."""
        return tensor in self._constants

    def value(self, tensor: str) -> NDArray[Any] | None:
        """Value of a constant; None for other tensors."""
        found = self._constants.get(tensor)
        return None if found is None else values_of(found)

    def number(self, tensor: str) -> float | None:
        """Value of a constant of one element and any rank; None for other tensors."""
        found = self._constants.get(tensor)
        if found is None or math.prod(found.dims) != 1 or found.data_type == onnx.TensorProto.STRING:
            return None
        return float(values_of(found).reshape(-1)[0])

    def dtype(self, tensor: str) -> str | None:
        """Element type, named as in `TensorType`."""
        found = self._types.get(tensor)
        if found is None and (constant := self._constants.get(tensor)) is not None:
            return str(values_of(constant).dtype)
        return None if found is None else found.dtype

    def shape(self, tensor: str) -> tuple[Dim, ...] | None:
        """Shape as far as it is known; None where not even the rank is."""
        found = self._types.get(tensor)
        if found is None and (constant := self._constants.get(tensor)) is not None:
            return tuple(constant.dims)
        return None if found is None else found.shape

    def rank(self, tensor: str) -> int | None:
        """Number of dimensions."""
        shape = self.shape(tensor)
        return None if shape is None else len(shape)

    def with_number(self, node: Node) -> tuple[str, float] | None:
        """Of a node with two inputs: the one that is no constant, and the other's value, a constant of one element.

        The variable's rank is at least the constant's, so that the result has the variable's shape. None where
        it is not so, or where the order matters and the constant comes first (Sub, Div, Pow).
        """
        if len(node.inputs) != 2:
            return None
        first, second = node.inputs
        if self.is_constant(second) and not self.is_constant(first):
            variable, constant = first, second
        elif (
            self.is_constant(first) and not self.is_constant(second) and node.op not in ("Sub", "Div", "Pow")
        ):
            variable, constant = second, first
        else:
            return None
        number = self.number(constant)
        if number is None or not self._broadcasts(constant, variable):
            return None
        return variable, number

    def _broadcasts(self, constant: str, variable: str) -> bool:
        """Whether a constant of one element leaves the variable's shape as it is."""
        rank = len(self._constants[constant].dims)
        own = self.rank(variable)
        return rank == 0 or (own is not None and rank <= own)
