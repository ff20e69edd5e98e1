"""Isolated nodes that compute the same: one of them is built, and stands for the others."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

import onnx

from trtdebug.graph.constants import renamed
from trtdebug.graph.extract import frame
from trtdebug.graph.isolate import Isolated
from trtdebug.graph.types import TensorType, value_type
from trtdebug.graph.walk import all_nodes, bodies


@dataclass(frozen=True)
class Turn:
    """One more run of a model of isolated nodes, in which some of them stand for others.

    Attributes:
        feeds: input of the model -> tensor of the source model to feed there in this turn.
        outputs: output of the model -> output of `Alike.isolated` that it is in this turn.
    """

    feeds: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Alike:
    """Isolated nodes, of which those that compute the same stand in the model once.

    Attributes:
        isolated: its model has fewer nodes than `outputs` tells of; `feeds` are those of the first run.
        turns: what is run after it, for the nodes that are not in the model.
    """

    isolated: Isolated
    turns: tuple[Turn, ...]

    def stood_for(self, node: str) -> tuple[str, ...]:
        """The node of the model, and those that it stands for."""
        outputs = self.isolated.outputs
        others = (
            theirs for turn in self.turns for own, theirs in turn.outputs.items() if outputs[own][1] == node
        )
        return (node, *dict.fromkeys(outputs[output][1] for output in others))


def alike(isolated: Isolated) -> Alike:
    """Leaves out of a model of isolated nodes those that another one of it can stand for.

    That is so where operator, attributes, constants, and the types of all inputs are the same; nodes with bodies, and
    nodes that are fed integers, which may mean shapes, stand for themselves only.
    """
    graph = isolated.model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    types = {value.name: value_type(value) for value in graph.input}
    first: dict[Hashable, onnx.NodeProto] = {}
    stands: dict[Hashable, int] = {}
    turns: list[Turn] = []
    left_out: set[str] = set()
    for node in graph.node:
        key = _meaning(node, types, constants)
        own = first.setdefault(key, node) if key is not None else node
        if own is node:
            continue
        left_out.add(node.name)
        number = stands[key] = stands.get(key, 0) + 1
        if len(turns) < number:
            turns.append(Turn())
        fed = {
            mine: isolated.feeds[its] for mine, its in zip(own.input, node.input, strict=True) if its in types
        }
        turns[number - 1].feeds.update(fed)
        turns[number - 1].outputs.update(
            {mine: its for mine, its in zip(own.output, node.output, strict=True) if its}
        )
    model = _without(isolated.model, left_out)
    feeds = {value.name: isolated.feeds[value.name] for value in model.graph.input}
    return Alike(Isolated(model, feeds, isolated.outputs, isolated.skipped), tuple(turns))


def _meaning(
    node: onnx.NodeProto, types: Mapping[str, TensorType | None], constants: Mapping[str, onnx.TensorProto]
) -> Hashable | None:
    """Equal for nodes that compute the same; None for a node that stands for itself only."""
    if next(bodies(node), None) is not None:
        return None
    inputs: list[Hashable] = []
    for tensor in node.input:
        type_ = types.get(tensor)
        if tensor in constants:
            inputs.append(_content(constants[tensor]))
        elif type_ is not None and type_.is_float and type_.shape is not None and None not in type_.shape:
            inputs.append((type_, list(node.input).index(tensor)))  # x * x is not x * y
        elif tensor:
            return None
        else:
            inputs.append("")
    attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
    written = tuple(bool(tensor) for tensor in node.output)
    return node.domain, node.op_type, node.overload, tuple(attributes), tuple(inputs), written


def _content(tensor: onnx.TensorProto) -> str:
    return hashlib.sha256(renamed(tensor, "").SerializeToString(deterministic=True)).hexdigest()


def _without(model: onnx.ModelProto, left_out: Collection[str]) -> onnx.ModelProto:
    """The model without these nodes, and without the inputs, outputs and constants that only they have."""
    kept = frame(model)
    graph, source = kept.graph, model.graph
    graph.node.extend(node for node in source.node if node.name not in left_out)
    tensors = {t for node in all_nodes(graph.node) for t in (*node.input, *node.output)}
    graph.input.extend(value for value in source.input if value.name in tensors)
    graph.output.extend(value for value in source.output if value.name in tensors)
    graph.initializer.extend(tensor for tensor in source.initializer if tensor.name in tensors)
    graph.sparse_initializer.extend(
        tensor for tensor in source.sparse_initializer if tensor.values.name in tensors
    )
    return kept
