"""Tensors that can be given from outside: what if this one were another, and all that reads it went on from there?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import TensorType, value_info

_SINCE = 9
"""The first opset with Where."""
_TYPES = ("float32", "float64")
"""What onnxruntime's Where takes on the CPU of the types that matter here."""


@dataclass(frozen=True)
class Replaceable:
    """A model in which tensors can be replaced, each by itself.

    Attributes:
        given: by tensor: the input for what takes its place. Where it is not replaced: 1 in each dimension.
        switches: by tensor: the boolean scalar input that says whether it is replaced. A tensor that was an input of
            the model before has none.
    """

    model: onnx.ModelProto
    given: Mapping[str, str]
    switches: Mapping[str, str]


def can_be_replaced(model: onnx.ModelProto, tensor: str, types: Mapping[str, TensorType]) -> bool:
    """Whether `replaceable` takes this tensor of the model."""
    kind = types.get(tensor)
    known = kind is not None and kind.dtype in _TYPES and kind.shape is not None
    return known and opset_of(model) >= _SINCE


def replaceable(
    model: onnx.ModelProto, tensors: Iterable[str], types: Mapping[str, TensorType]
) -> Replaceable:
    """A copy of the model in which each of `tensors` can be replaced for all that read it, bodies and outputs too.

    Behind what writes a tensor stands a Where that chooses; what it chooses bears the tensor's name.

    Args:
        tensors: inputs of the model, or written by a node of its top-level graph; all as `can_be_replaced` wants them.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph, names = copy.graph, FreshNames(names_in(copy.graph))
    wanted = dict.fromkeys(tensors)
    given: dict[str, str] = {i.name: i.name for i in graph.input if i.name in wanted}
    switches: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    for node in list(graph.node):
        nodes.append(node)
        for place, tensor in enumerate(node.output):
            if tensor not in wanted:
                continue
            computed = node.output[place] = names.fresh(f"{tensor}__computed")
            given[tensor], switches[tensor] = (
                names.fresh(f"{tensor}__given"),
                names.fresh(f"{tensor}__is_given"),
            )
            graph.input.append(value_info(given[tensor], _of_any_size(types[tensor])))
            graph.input.append(helper.make_tensor_value_info(switches[tensor], TensorProto.BOOL, []))
            chosen = [switches[tensor], given[tensor], computed]
            nodes.append(helper.make_node("Where", chosen, [tensor], names.fresh(f"{tensor}__chosen")))
    del graph.node[:]
    graph.node.extend(nodes)
    return Replaceable(copy, given, switches)


def _of_any_size(kind: TensorType) -> TensorType:
    return TensorType(kind.dtype, tuple(None for _ in kind.shape or ()))
