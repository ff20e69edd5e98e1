"""Blocks of a graph: the light nodes around given ones that have one tensor going in and one coming out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

from trtdebug.graph.index import GraphIndex

HEAVY = frozenset(
    {
        "MatMul", "Gemm", "Einsum", "Conv", "ConvTranspose", "DeformConv", "MatMulInteger", "ConvInteger",
        "QLinearMatMul", "QLinearConv", "Attention", "LSTM", "GRU", "RNN", "If", "Loop", "Scan",
    }
)  # fmt: skip
"""Operators whose time the precision decides; all others move data, and are fused with their neighbours."""

_BEGIN, _END = "\0begin", "\0end"
"""Stand for whatever feeds the model, and for whatever takes its outputs."""


@dataclass(frozen=True)
class Flow:
    """The nodes of a graph that matter, and which of them feed which.

    Attributes:
        nodes: in topological order.
        flows: whether a tensor counts: weights and shape arithmetic do not.
    """

    index: GraphIndex
    nodes: Sequence[str]
    flows: Callable[[str], bool]

    def reads(self, name: str) -> tuple[str, ...]:
        """Tensors that count."""
        return tuple(t for t in self.index.node(name).reads if self._counts(t))

    def feeders(self, name: str) -> tuple[str, ...]:
        """Nodes that write what this one reads; `_BEGIN` where the model's inputs do."""
        return tuple(self.index.producer.get(t, _BEGIN) for t in self.reads(name))

    def takers(self, name: str) -> tuple[str, ...]:
        """Nodes that read what this one writes; `_END` where it is an output of the model."""
        ends = (_END for t in self.written(name) if t in self.index.outputs)
        return (*(n for t in self.written(name) for n in self.readers(t)), *ends)

    def written(self, name: str) -> tuple[str, ...]:
        """Tensors that count."""
        return tuple(t for t in self.index.node(name).writes if self._counts(t))

    def readers(self, tensor: str) -> tuple[str, ...]:
        """Those of `nodes` that read it."""
        return tuple(n for n in self.index.consumers.get(tensor, ()) if n in self._known)

    @cached_property
    def before(self) -> Dominators:
        """What every way from the model's inputs to a node leads through."""
        return Dominators(self.nodes, self.feeders, _BEGIN)

    @cached_property
    def after(self) -> Dominators:
        """What every way from a node to the model's outputs leads through."""
        return Dominators(tuple(reversed(self.nodes)), self.takers, _END)

    def _counts(self, tensor: str) -> bool:
        source = self.index.producer.get(tensor)
        written = source in self._known if source is not None else tensor in self.index.inputs
        return written and self.flows(tensor)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.nodes)


def groups(index: GraphIndex, nodes: Collection[str]) -> list[tuple[str, ...]]:
    """The nodes, those that feed each other together; all in topological order."""
    left, found = set(nodes), []
    while left:
        todo = [left.pop()]
        group = set(todo)
        while todo:
            name = todo.pop()
            near = {*index.predecessors(name), *index.successors(name)} & left
            left -= near
            group |= near
            todo += near
        found.append(tuple(sorted(group, key=index.position)))
    return sorted(found, key=lambda g: index.position(g[0]))


def block_around(flow: Flow, nodes: Collection[str], limit: int) -> tuple[str, ...]:
    """The largest block around `nodes` without heavy operators, in topological order; empty where there is none.

    One tensor goes into it (which several of its nodes may read), and one comes out: a decomposed LayerNorm
    around its variance, for one.

    Args:
        nodes: not empty, of `flow.nodes`.
        limit: how many nodes the block may have.
    """
    entry = reduce(flow.before.common, (flow.before.nearest[n] for n in nodes))
    todo = [(entry, reduce(flow.after.common, nodes))]
    seen: set[tuple[str, str]] = set()
    best: frozenset[str] = frozenset()
    while todo:
        entry, end = todo.pop()
        region = _between(flow, entry, end, limit)
        if (entry, end) in seen or region is None:
            continue
        seen.add((entry, end))
        if len(region) > len(best) and region.issuperset(nodes) and _is_block(flow, region):
            best = region
        todo += [(up, end) for up in flow.before.next(entry)] + [
            (entry, down) for down in flow.after.next(end)
        ]
    return tuple(n for n in flow.nodes if n in best)


def _between(flow: Flow, entry: str, end: str, limit: int) -> frozenset[str] | None:
    """What lies on the ways to `end`, itself included, and not before `entry`; None where that is too much or heavy."""
    todo = [n for n in flow.nodes if _END in flow.takers(n)] if end == _END else [end]
    found = set(todo)
    while todo:
        name = todo.pop()
        if len(found) > limit or _is_heavy(flow, name):
            return None
        new = {n for n in flow.feeders(name) if n not in (entry, _BEGIN)} - found
        found |= new
        todo += new
    return frozenset(found)


def _is_heavy(flow: Flow, name: str) -> bool:
    """Whether the node is heavy, or the bias of such a one, which is fused to it."""

    def heavy(name: str) -> bool:
        return name in flow.index and flow.index.node(name).op in HEAVY

    feeders = flow.feeders(name)
    return heavy(name) or (flow.index.node(name).op == "Add" and len(feeders) == 1 and heavy(feeders[0]))


def _is_block(flow: Flow, region: frozenset[str]) -> bool:
    """Whether one tensor goes in, and one comes out."""
    read = {t for n in region for t in flow.reads(n) if flow.index.producer.get(t) not in region}
    taken = {
        t
        for n in region
        for t in flow.written(n)
        if t in flow.index.outputs or not region.issuperset(flow.readers(t))
    }
    return len(read) == len(taken) == 1


class Dominators:
    """By node: the nearest one that every way between it and the root leads through.

    Args:
        order: each node after those that it hangs on.
        above: those that a node hangs on; the root where that is the outside.
    """

    def __init__(self, order: Sequence[str], above: Callable[[str], Sequence[str]], root: str) -> None:
        self.nearest: dict[str, str] = {}
        self._depth = {root: 0}
        for name in order:
            nearest = reduce(self.common, above(name) or (root,))
            self.nearest[name] = nearest
            self._depth[name] = self._depth[nearest] + 1

    def common(self, a: str, b: str) -> str:
        """The nearest that both lead through; a node leads through itself."""
        while a != b:
            if self._depth[a] < self._depth[b]:
                a, b = b, a
            a = self.nearest[a]
        return a

    def next(self, name: str) -> tuple[str, ...]:
        """The nearest of a node; nothing for the root."""
        return (self.nearest[name],) if name in self.nearest else ()
