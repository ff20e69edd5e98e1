"""Graph rewrites: some nodes of a model taken out, others put in that compute the same.

A pattern finds places and says what it wants there (`Replacement`); whether that is possible at all is decided
here, for all patterns alike: what is taken out has no other reader and is no output of the graph. Names of
all other nodes and tensors, inputs, outputs and ir_version stay. Bodies of If, Loop and Scan are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from trtdebug.graph.fresh import FreshNames
from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.opsets import can_raise, raise_opset
from trtdebug.graph.view import GraphView
from trtdebug.graph.walk import initializer_names

_AXES_BY_INPUT = 18
"""From this opset on ReduceMean, ReduceMax and their like have their axes as an input."""


@dataclass(frozen=True)
class Replacement:
    """What to do at one place.

    Attributes:
        nodes: names of the nodes to take out, in topological order.
        new: nodes to put in, in topological order. What they write is new, or was written by a node that goes.
        constants: initialisers for them, under new names.
        same: tensor that goes -> tensor that stays and equals it.
        opset: the version of ONNX's own operators that `new` needs at least.
        about: more nodes that it is for: nobody else may need them any more, and then they go, too.
    """

    nodes: tuple[str, ...]
    new: tuple[onnx.NodeProto, ...] = ()
    constants: tuple[onnx.TensorProto, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)
    opset: int = 0
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rewrite:
    """A rewrite.

    Attributes:
        name: unique id, kebab case.
        summary: what it does, in words that go on with "at N places".
        find: all places where the model can be rewritten, each by itself.
    """

    name: str
    summary: str
    find: Callable[[GraphView], Iterable[Replacement]]


class Draft:
    """New nodes in the making, under names that start with `prefix` and that nothing has yet."""

    def __init__(self, view: GraphView, prefix: str) -> None:
        self._view, self._prefix = view, prefix
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, what: str, value: NDArray[Any] | np.generic) -> str:
        """Adds an initialiser; gives its name."""
        name = self._view.names.fresh(f"{self._prefix}_{what}")
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Adds a node; gives the name of the tensor that it writes.

        Args:
            to: a tensor that a node which goes writes; None = a new one.
        """
        name = self._view.names.fresh(f"{self._prefix}_{kind}")
        output = to or self._view.names.fresh(f"{name}_out")
        self._nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        return output

    def reduce(self, kind: str, tensor: str, axes: Sequence[int]) -> str:
        """Adds ReduceMean, ReduceMax or the like that keeps the axes; they are said as the model's opset does."""
        if self._view.opset < _AXES_BY_INPUT:
            return self.op(kind, tensor, axes=list(axes), keepdims=1)
        return self.op(kind, tensor, self.constant("axes", np.array(axes, np.int64)), keepdims=1)

    def again(self, node: Node, inputs: Mapping[int, str]) -> None:
        """Adds the node once more, under its own name, with other inputs at these positions."""
        copy = onnx.NodeProto()
        copy.CopyFrom(self._view.proto(node.name))
        copy.name = node.name
        for position, tensor in inputs.items():
            copy.input[position] = tensor
        self._nodes.append(copy)

    def again_on(self, node: Node, tensor: str, to: str | None = None) -> str:
        """Adds a node of one input once more, under its own name, on another tensor; gives what it writes."""
        self.again(node, {0: tensor})
        output = to or self._view.names.fresh(f"{node.outputs[0]}_again")
        self._nodes[-1].output[0] = output
        return output

    def instead_of(
        self,
        nodes: Iterable[str],
        same: Mapping[str, str] | None = None,
        opset: int = 0,
        about: Iterable[str] = (),
    ) -> Replacement:
        """What was drafted, in place of `nodes`."""
        order = tuple(sorted(set(nodes), key=self._view.index.position))
        return Replacement(order, tuple(self._nodes), tuple(self._constants), same or {}, opset, tuple(about))


@dataclass(frozen=True)
class Rewritten:
    """A rewritten model, and what was done to it."""

    model: onnx.ModelProto
    done: tuple[Replacement, ...]


def rewritten(
    view: GraphView,
    replacements: Iterable[Replacement],
    where: Callable[[Replacement], bool] = lambda r: True,
) -> Rewritten | None:
    """A copy of the model with all of these replacements that are possible; None where none is.

    A replacement is not possible where a tensor that would go has a reader that stays, in a body too, or is an
    output of the graph; where it shares nodes with one before it; or where the model's operators cannot be
    raised to the opset that it needs.

    Raises:
        ValueError: a replacement writes a tensor that is there already, or reads one that is not.
    """
    plan = _Plan(view)
    for replacement in replacements:
        if where(replacement):
            plan.add(replacement)
    return Rewritten(plan.carry_out(), tuple(plan.done)) if plan.done else None


def apply(rewrite: Rewrite, model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The model, nodes named, rewritten wherever that is possible; None where it is nowhere."""
    view = GraphView(model)
    result = rewritten(view, rewrite.find(view))
    return None if result is None else result.model


class _Plan:
    """Replacements that go together."""

    def __init__(self, view: GraphView) -> None:
        self._view = view
        self._gone_nodes: set[str] = set()
        self._gone: set[str] = set()
        self._read: set[str] = set()
        self.done: list[Replacement] = []

    def add(self, replacement: Replacement) -> None:
        index = self._view.index
        nodes = set(replacement.nodes)
        written = {tensor for name in nodes for tensor in index.node(name).writes}
        new = {tensor for node in replacement.new for tensor in node.output if tensor}
        self._check(replacement, written, new)
        gone = written - new
        inner = gone - set(replacement.same)
        needed = set(replacement.same.values()).union(*(node.input for node in replacement.new)) - new
        if (
            nodes & self._gone_nodes
            or needed & (self._gone | gone)
            or gone & self._read
            or any(self._is_needed(tensor, nodes) for tensor in inner)
            or not self._has_opset(replacement.opset)
        ):
            return
        self._gone_nodes |= nodes
        self._gone |= gone
        self._read |= needed
        self.done.append(replacement)

    def _check(self, replacement: Replacement, written: set[str], new: set[str]) -> None:
        index = self._view.index
        known = {*index.inputs, *index.initializers, *index.tensors, ""}
        clash = new & (known - written)
        own = {tensor.name for tensor in replacement.constants}
        missing = {tensor for node in replacement.new for tensor in node.input} - known - new - own
        if clash or own & known or missing:
            name = min(clash | (own & known) or missing)
            what = "reads" if missing else "writes"
            raise ValueError(f"a replacement of {replacement.nodes[0]!r} {what} {name!r}")

    def _is_needed(self, tensor: str, nodes: set[str]) -> bool:
        index = self._view.index
        return tensor in index.outputs or not nodes.issuperset(index.consumers.get(tensor, ()))

    def _has_opset(self, opset: int) -> bool:
        return opset <= self._view.opset or can_raise(self._view.model, opset)

    def carry_out(self) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(self._view.model)
        graph, names = result.graph, self._view.names
        same = _resolved({old: new for r in self.done for old, new in r.same.items()})
        kept_names = self._kept_names(same)
        renamed = {old: new for old, new in same.items() if old not in kept_names}
        new_at: dict[str, list[onnx.NodeProto]] = {r.nodes[-1]: list(r.new) for r in self.done}
        for replacement in self.done:
            passed_on = [old for old in replacement.same if old in kept_names]
            new_at[replacement.nodes[-1]] += [_identity(same[old], old, names) for old in passed_on]
        nodes: list[onnx.NodeProto] = []
        for node, indexed in zip(graph.node, self._view.index.nodes, strict=True):
            if indexed.name in self._gone_nodes:
                nodes += [_renamed(new, renamed) for new in new_at.get(indexed.name, ())]
            else:
                node.name = indexed.name
                nodes.append(_renamed(node, renamed))
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.extend(tensor for r in self.done for tensor in r.constants)
        self._drop_unread(result)
        _sort(graph, result)
        opset = max(r.opset for r in self.done)
        if opset > self._view.opset:
            raise_opset(result, opset)
        return result

    def _kept_names(self, same: Iterable[str]) -> set[str]:
        """Tensors that go by name only: outputs of the graph, and what bodies read, keep theirs."""
        captured = {tensor for node in self._view.index.nodes for tensor in node.captured}
        return {tensor for tensor in same if tensor in self._view.index.outputs or tensor in captured}

    def _drop_unread(self, result: onnx.ModelProto) -> None:
        """Drops what only nodes needed that are gone, and what was written down of tensors that are."""
        before, graph = self._view.index, result.graph
        needed = {*before.outputs, *(value.name for value in graph.input)}
        needed |= {t for t in (*before.tensors, *before.initializers) if t not in before.consumers}
        read = GraphIndex(result).consumers
        while dead := [
            n for n in graph.node if any(n.output) and not any(t in read or t in needed for t in n.output)
        ]:
            _drop_nodes(graph, {node.name for node in dead})
            read = GraphIndex(result).consumers
        _filter(graph.initializer, lambda tensor: tensor.name in read or tensor.name in needed)
        there = {t for node in graph.node for t in node.output} | initializer_names(graph)
        there |= {value.name for value in graph.input}
        _filter(graph.value_info, lambda value: value.name in there)


def _resolved(same: dict[str, str]) -> dict[str, str]:
    """Where what stays goes, too: the one that stays in the end."""
    resolved = {}
    for old, new in same.items():
        while new in same:
            new = same[new]
        resolved[old] = new
    return resolved


def _identity(tensor: str, to: str, names: FreshNames) -> onnx.NodeProto:
    return helper.make_node("Identity", [tensor], [to], names.fresh(f"{to}_Identity"))


def _renamed(node: onnx.NodeProto, renamed: Mapping[str, str]) -> onnx.NodeProto:
    for position, tensor in enumerate(node.input):
        if tensor in renamed:
            node.input[position] = renamed[tensor]
    return node


def _filter(items: Any, wanted: Callable[[Any], bool]) -> None:
    """Takes the unwanted items out of a repeated field, in place."""
    for position in reversed([i for i, item in enumerate(items) if not wanted(item)]):
        del items[position]


def _drop_nodes(graph: onnx.GraphProto, names: Collection[str]) -> None:
    _filter(graph.node, lambda node: node.name not in names)


def _sort(graph: onnx.GraphProto, model: onnx.ModelProto) -> None:
    """Sorts the nodes, where they are not."""
    index = GraphIndex(model)
    if index.order == tuple(node.name for node in index.nodes):
        return
    protos = {node.name: onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node}
    del graph.node[:]
    graph.node.extend(protos[name] for name in index.order)
