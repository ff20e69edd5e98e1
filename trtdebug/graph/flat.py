"""Isolated nodes that work element by element, made to work on flat tensors.

A builder tries a kernel for each memory format that a tensor may have, and TensorRT 8.6 compiles those of such nodes
when it does: four of them for a tensor of three dimensions (0.9 s), one for a flat one (0.03 s, on an H200).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx
from onnx import TensorProto, helper

from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.types import TensorType, value_type

# fmt: off
_ELEMENT_BY_ELEMENT = frozenset((
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp",
    "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu",
    "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
    "ThresholdedRelu",
))
# fmt: on
"""Operators of one input, whose output has its shape."""

_FORMATS_FROM = 3  # dimensions
_RESHAPE_TAKES_A_TENSOR = 5  # opset; before, the shape was an attribute


def flat(alone: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a Reshape before and behind each such node; its inputs and outputs stay as they are.

    Left alone are nodes that are fed tensors of fewer than three dimensions, of dynamic ones, or without elements.

    Args:
        alone: nodes that read nothing of each other, as `isolate` gives them.
    """
    if any(o.domain in ("", "ai.onnx") and o.version < _RESHAPE_TAKES_A_TENSOR for o in alone.opset_import):
        return alone
    result = onnx.ModelProto()
    result.CopyFrom(alone)
    graph = result.graph
    types = {value.name: value_type(value) for value in graph.input}
    names = FreshNames(names_in(graph))
    del graph.node[:]
    for node in alone.graph.node:
        shape = _shape(node, types)
        if shape is None:
            graph.node.append(node)
        else:
            _add_between_reshapes(graph, node, shape, names)
    return result


def _shape(node: onnx.NodeProto, types: Mapping[str, TensorType | None]) -> tuple[int, ...] | None:
    """The shape that the node is to be relieved of; None where it is left alone."""
    if node.op_type not in _ELEMENT_BY_ELEMENT or node.domain not in ("", "ai.onnx"):
        return None
    type_ = types.get(node.input[0])
    if type_ is None or type_.shape is None or len(type_.shape) < _FORMATS_FROM:
        return None
    sizes = tuple(dim for dim in type_.shape if isinstance(dim, int) and dim > 0)
    return sizes if len(sizes) == len(type_.shape) else None


def _add_between_reshapes(
    graph: onnx.GraphProto, node: onnx.NodeProto, shape: tuple[int, ...], names: FreshNames
) -> None:
    reads, writes = node.input[0], node.output[0]
    between = onnx.NodeProto()
    between.CopyFrom(node)
    between.input[0], between.output[0] = (names.fresh(f"{t}__flat") for t in (reads, writes))
    for source, target, sizes in (
        (reads, between.input[0], (math.prod(shape),)),
        (between.output[0], writes, shape),
    ):
        name = names.fresh(f"{target}__shape")
        graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(sizes)], sizes))
        graph.node.append(helper.make_node("Reshape", [source, name], [target], names.fresh(f"{target}__by")))
    graph.node.insert(len(graph.node) - 1, between)
