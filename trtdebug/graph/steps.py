"""Splits a graph at nodes that something else computes: in which order its parts have to run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trtdebug.graph.index import GraphIndex


@dataclass(frozen=True)
class Step:
    """Nodes that run together, and after them nodes that something else computes; in topological order."""

    nodes: tuple[str, ...]
    apart: tuple[str, ...]


def split_at(index: GraphIndex, apart: Collection[str]) -> tuple[Step, ...]:
    """The fewest steps: each node runs as early as it can.

    Args:
        apart: names of the nodes that something else computes.
    """
    depth: dict[str, int] = {}
    for name in index.order:
        depth[name] = max((depth[p] + (p in apart) for p in index.predecessors(name)), default=0)
    steps: list[tuple[list[str], list[str]]] = [([], []) for _ in range(max(depth.values(), default=0) + 1)]
    for name in index.order:
        steps[depth[name]][name in apart].append(name)
    return tuple(Step(tuple(nodes), tuple(others)) for nodes, others in steps)
