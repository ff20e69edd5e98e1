"""Which nodes go into a repro."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from trtdebug.graph.index import GraphIndex


def choose_nodes(index: GraphIndex, culprits: Sequence[str]) -> tuple[str, ...]:
    """The smallest connected piece that holds the first cluster of culprits, in topological order.

    Culprits are of one cluster when one reads what the other writes, directly or through one healthy node,
    which then is part of the piece. The first cluster is that of the first culprit in topological order.

    Args:
        culprits: node names, at least one.

    Raises:
        ValueError: no culprits.
        UserError: a culprit is no node of the model.
    """
    left = set(culprits)
    if not left:
        raise ValueError("no culprits to choose from")
    first = min(left, key=index.position)
    piece = {first}
    left.remove(first)
    while left:
        step = next(_direct(index, piece, left), None) or next(_bridged(index, piece, left), None)
        if step is None:
            break
        piece.update(step)
        left.difference_update(step)
    return _ordered(index, piece)


def connect_nodes(index: GraphIndex, culprits: Sequence[str]) -> tuple[str, ...]:
    """A small connected piece that holds all of the culprits, in topological order.

    For culprits that only fail together. Each culprit is joined to the piece by a shortest path; one that
    nothing connects to the others is in the piece by itself.

    Raises:
        ValueError: no culprits.
        UserError: a culprit is no node of the model.
    """
    todo = sorted(set(culprits), key=index.position)
    if not todo:
        raise ValueError("no culprits to connect")
    piece = {todo[0]}
    for culprit in todo[1:]:
        piece.update(_path(index, culprit, piece))
    return _ordered(index, piece)


def with_readers(index: GraphIndex, nodes: Iterable[str]) -> tuple[str, ...]:
    """These nodes and all that read what they write, in topological order."""
    kept = tuple(nodes)
    return _ordered(index, {*kept, *(reader for name in kept for reader in index.successors(name))})


def _direct(index: GraphIndex, piece: set[str], left: set[str]) -> Iterator[tuple[str, ...]]:
    """Culprits that touch the piece."""
    for name in _ordered(index, piece):
        for other in _neighbours(index, name):
            if other in left:
                yield (other,)


def _bridged(index: GraphIndex, piece: set[str], left: set[str]) -> Iterator[tuple[str, ...]]:
    """Culprits that are one healthy node away from the piece, up or down the data's way, with that node."""
    for name in _ordered(index, piece):
        for step in (index.successors, index.predecessors):
            for bridge in step(name):
                for other in step(bridge):
                    if other in left:
                        yield (bridge, other)


def _path(index: GraphIndex, start: str, goal: set[str]) -> list[str]:
    """Nodes of a shortest path, whatever its direction, from `start` into `goal`; [start] without one."""
    came_from: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        if name in goal:
            path = [name]
            while (before := came_from[path[-1]]) is not None:
                path.append(before)
            return path
        for other in _neighbours(index, name):
            if other not in came_from:
                came_from[other] = name
                queue.append(other)
    return [start]


def _neighbours(index: GraphIndex, name: str) -> tuple[str, ...]:
    return (*index.successors(name), *index.predecessors(name))


def _ordered(index: GraphIndex, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=index.position))
