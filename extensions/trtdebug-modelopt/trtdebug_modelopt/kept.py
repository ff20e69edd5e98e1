"""Reads off AutoCast's model which nodes of the original still compute in FP32."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import onnx

from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.types import TensorType, graph_types, tensor_types, without_weights

_NO_VALUES = ("Constant", "Shape", "Size")
"""Operators that compute with no float, whatever they read and write."""

_FLOAT = 1  # onnx.TensorProto.FLOAT, the default of LayerNormalization's stash_type


@dataclass(frozen=True)
class Kept:
    """Names of nodes of the original, in topological order.

    Attributes:
        nodes: their float tensors are FP32 in AutoCast's model, or those of the node that stands for them there.
        statistics: they are within a LayerNormalization of low precision that AutoCast made of them. It computes
            mean, variance and quotient in FP32 (its `stash_type`).
    """

    nodes: tuple[str, ...]
    statistics: tuple[str, ...]


def kept_nodes(original: onnx.ModelProto, mixed: onnx.ModelProto) -> Kept:
    """Which nodes of `original` AutoCast's model of it computes in FP32.

    Nodes are found again by name. One that AutoCast made stands for all vanished nodes between the tensors that it
    reads and those that it writes. A node that vanished without a successor (a Cast) counts as not kept.
    """
    return _Reading(
        GraphIndex(original), tensor_types(original), GraphIndex(mixed), _types(mixed), mixed
    ).kept()


@dataclass
class _Reading:
    ours: GraphIndex
    our_types: Mapping[str, TensorType]
    theirs: GraphIndex
    their_types: Mapping[str, TensorType]
    mixed: onnx.ModelProto
    _names: dict[str, str] = field(default_factory=dict)

    def kept(self) -> Kept:
        kept: set[str] = set()
        statistics: set[str] = set()
        known = {node.name for node in self.ours.nodes}
        for node, proto in zip(self.theirs.nodes, self.mixed.graph.node, strict=True):
            full = self._is_fp32(node)
            if node.name in known:
                kept |= {node.name} if full else set()
                continue
            replaced = set() if node.op == "Cast" else self._replaced(node)
            if full:
                kept |= replaced
            elif node.op == "LayerNormalization" and _stash_type(proto) == _FLOAT:
                statistics |= replaced - self._scaling(node, replaced)
        return Kept(self._in_order(kept), self._in_order(statistics - kept))

    def _in_order(self, names: set[str]) -> tuple[str, ...]:
        return tuple(n for n in self.ours.order if n in names and self._has_precision(self.ours.node(n)))

    def _has_precision(self, node: Node) -> bool:
        tensors = (*node.reads, *node.writes)
        floats = any(t not in self.our_types or self.our_types[t].is_float for t in tensors)
        return node.op not in _NO_VALUES and floats

    def _is_fp32(self, node: Node) -> bool:
        """By what it writes; a comparison, say, by what it reads."""
        for tensors in (node.writes, node.reads):
            floats = {self.their_types[t].dtype for t in tensors if self._is_float(t)}
            if floats:
                return floats == {"float32"}
        return False

    def _is_float(self, tensor: str) -> bool:
        return tensor in self.their_types and self.their_types[tensor].is_float

    def _replaced(self, node: Node) -> set[str]:
        """Vanished nodes between what a new node reads and what it writes."""
        ends = {self._original(t) for t in node.reads}
        todo = [self._original(t) for t in node.writes]
        there = {n.name for n in self.theirs.nodes}
        found: set[str] = set()
        while todo:
            tensor = todo.pop()
            name = self.ours.producer.get(tensor)
            if name is None or name in found or name in there or tensor in ends:
                continue
            found.add(name)
            todo += self.ours.node(name).reads
        return found

    def _scaling(self, norm: Node, replaced: set[str]) -> set[str]:
        """Of a LayerNorm's nodes the last ones, that multiply by the scale and add the bias."""
        found: set[str] = set()
        name = self.ours.producer.get(self._original(norm.writes[0]))
        while name in replaced and self.ours.node(name).op in ("Mul", "Add"):
            found.add(name)
            name = next((p for p in self.ours.predecessors(name) if p in replaced), None)
        return found

    def _original(self, tensor: str) -> str:
        """The original's tensor that this one is, or is a cast of; itself where there is none."""
        if tensor in self.ours.producer or tensor in self.ours.inputs:
            return tensor
        before = self._cast(self.theirs.producer.get(tensor))
        if before is not None:
            return self._original(before.reads[0])
        after = (self._cast(name) for name in self.theirs.consumers.get(tensor, ()))
        outputs = (node.writes[0] for node in after if node is not None)
        return next((t for t in outputs if t in self.ours.producer), tensor)

    def _cast(self, name: str | None) -> Node | None:
        node = self.theirs.node(name) if name is not None else None
        return node if node is not None and node.op == "Cast" else None


def _types(mixed: onnx.ModelProto) -> dict[str, TensorType]:
    """Inferred anew, since declared types may be those from before; declared ones where nothing can be inferred."""
    light = without_weights(mixed)
    declared = graph_types(light.graph)
    del light.graph.value_info[:]
    return declared | tensor_types(light)


def _stash_type(norm: onnx.NodeProto) -> int:
    return next((int(a.i) for a in norm.attribute if a.name == "stash_type"), _FLOAT)


def union(one: Iterable[str], other: Iterable[str], order: Iterable[str]) -> tuple[str, ...]:
    """Both, in this order."""
    wanted = {*one, *other}
    return tuple(name for name in order if name in wanted)
