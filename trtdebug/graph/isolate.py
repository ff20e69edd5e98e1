"""Isolates nodes: one model in which every node stands alone on inputs of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from trtdebug.graph.constants import constant_tensors, renamed
from trtdebug.graph.extract import frame
from trtdebug.graph.fresh import FreshNames
from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.types import TensorType, value_info
from trtdebug.graph.walk import all_nodes, bodies, initializer_names, rename_reads


@dataclass(frozen=True)
class Isolated:
    """Nodes that stand alone.

    Attributes:
        model: the nodes under their old names; every tensor between them is cut.
        feeds: input of `model` -> tensor of the source model to feed there.
        outputs: output of `model` -> (tensor of the source model it is, node that writes it).
        skipped: node -> why it could not be isolated.
    """

    model: onnx.ModelProto
    feeds: Mapping[str, str]
    outputs: Mapping[str, tuple[str, str]]
    skipped: Mapping[str, str]

    @property
    def tensors(self) -> dict[str, str]:
        """Output of `model` -> tensor of the source model that it is."""
        return {output: tensor for output, (tensor, _) in self.outputs.items()}


def isolate(
    model: onnx.ModelProto,
    types: Mapping[str, TensorType],
    nodes: Iterable[str],
    constants: Mapping[str, NDArray[np.generic]] | None = None,
) -> Isolated:
    """One model in which each of these nodes reads inputs of its own and puts out everything that it writes.

    A node gets one input a tensor that it reads. Initialisers and Constant nodes that it reads stay
    constants, shared by all.

    Args:
        types: of every tensor that the nodes read and write, as recorded or inferred; what is missing here
            leads to `skipped`.
        nodes: their names.
        constants: recorded values of tensors that become initialisers instead of inputs: TensorRT takes no
            plain input for the shape of a Reshape or the starts of a Slice.

    Raises:
        UserError: a name that is no node; the graph has a cycle.
    """
    index = GraphIndex(model)
    wanted = {index.node(name).name for name in nodes}
    fixed = {tensor: numpy_helper.from_array(array, tensor) for tensor, array in (constants or {}).items()}
    builder = _Builder(model, types, {**constant_tensors(model), **fixed})
    protos = {node.name: proto for node, proto in zip(index.nodes, model.graph.node, strict=True)}
    skipped: dict[str, str] = {}
    for name in index.order:
        if name in wanted:
            node = index.node(name)
            reason = builder.obstacle(node)
            if reason:
                skipped[name] = reason
            else:
                builder.add(node, protos[name])
    return Isolated(builder.result, builder.feeds, builder.outputs, skipped)


def beside(model: onnx.ModelProto, isolated: onnx.ModelProto) -> onnx.ModelProto:
    """The model, with a model of isolated nodes of it standing beside its own under the names `<node>__alone`.

    Inputs and outputs are those of both; nothing leads from one part to the other. What the isolated nodes read
    as constants and the model does not have as initialisers is added under new names.
    """
    both = onnx.ModelProto()
    both.CopyFrom(model)
    graph, alone = both.graph, isolated.graph
    shared = initializer_names(graph)
    tensors = FreshNames({t for n in all_nodes(graph.node) for t in (*n.input, *n.output)} | shared)
    rename = {n: tensors.fresh(f"{n}__alone") for n in initializer_names(alone) if n not in shared}
    graph.initializer.extend(renamed(t, rename[t.name]) for t in alone.initializer if t.name in rename)
    names = FreshNames(node.name for node in graph.node)
    for node in alone.node:
        copy = graph.node.add()
        copy.CopyFrom(node)
        copy.name = names.fresh(f"{node.name}__alone")
        for position, tensor in enumerate(copy.input):
            copy.input[position] = rename.get(tensor, tensor)
        for body in bodies(copy):
            rename_reads(body, rename)
    graph.input.extend(alone.input)
    graph.output.extend(alone.output)
    return both


class _Builder:
    def __init__(
        self,
        model: onnx.ModelProto,
        types: Mapping[str, TensorType],
        constants: Mapping[str, onnx.TensorProto],
    ) -> None:
        self.types, self.constants = types, constants
        self.sparse = {tensor.values.name: tensor for tensor in model.graph.sparse_initializer}
        self.result = frame(model)
        self.feeds: dict[str, str] = {}
        self.outputs: dict[str, tuple[str, str]] = {}
        self._names = set(constants) | set(self.sparse) | _body_names(model.graph.node)
        self._kept: set[str] = set()

    def obstacle(self, node: Node) -> str:
        """Why this node can't stand alone; empty where it can."""
        for tensor in node.writes:
            if tensor not in self.types:
                return f"the type of its output {tensor!r} is unknown"
        fed = [tensor for tensor in node.reads if not self._is_constant(tensor)]
        if not fed:
            return "it reads only constants"
        for tensor in fed:
            if tensor not in self.types:
                return f"the type of its input {tensor!r} is unknown"
            if self.types[tensor].dtype == "string":
                return f"its input {tensor!r} holds strings"
        return ""

    def add(self, node: Node, proto: onnx.NodeProto) -> None:
        """Puts a copy of the node into the result, with inputs and outputs of its own."""
        graph = self.result.graph
        copy = graph.node.add()
        copy.CopyFrom(proto)
        copy.name = node.name
        rename: dict[str, str] = {}
        for tensor in node.reads:
            if self._is_constant(tensor):
                self._keep_constant(tensor)
            else:
                rename[tensor] = self._unique(f"{tensor}__of__{node.name}")
                self.feeds[rename[tensor]] = tensor
                graph.input.append(value_info(rename[tensor], self.types[tensor]))
        for position, tensor in enumerate(node.inputs):
            copy.input[position] = rename.get(tensor, tensor)
        for body in bodies(copy):
            rename_reads(body, rename)
        for position, tensor in enumerate(node.outputs):
            if tensor:
                output = self._unique(f"{tensor}__from__{node.name}")
                copy.output[position] = output
                self.outputs[output] = (tensor, node.name)
                graph.output.append(value_info(output, self.types[tensor]))

    def _is_constant(self, tensor: str) -> bool:
        return tensor in self.constants or tensor in self.sparse

    def _keep_constant(self, tensor: str) -> None:
        graph = self.result.graph
        if tensor in self._kept:
            return
        self._kept.add(tensor)
        if tensor in self.constants:
            graph.initializer.append(renamed(self.constants[tensor], tensor))
        else:
            graph.sparse_initializer.append(self.sparse[tensor])

    def _unique(self, name: str) -> str:
        candidate, suffix = name, 0
        while candidate in self._names:
            suffix += 1
            candidate = f"{name}_{suffix}"
        self._names.add(candidate)
        return candidate


def _body_names(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """Every tensor name within bodies: a new name must not mean something else there."""
    return {
        name
        for node in nodes
        for body in bodies(node)
        for inner in all_nodes(body.node)
        for name in (*inner.input, *inner.output)
    }
