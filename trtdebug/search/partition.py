"""Cuts a graph of items into parts that run one after the other, items of one label together."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

from trtdebug.core.errors import UserError
from trtdebug.search.topology import Edge, neighbours

Part = tuple[int, ...]


def partition(
    labels: Sequence[Hashable],
    edges: Iterable[Edge],
    first: Hashable,
    starts: Collection[int] = (),
    apart: Collection[Hashable] = (),
) -> tuple[Part, ...]:
    """Parts in an order in which each reads only what parts before it write.

    By turns, one label after the other takes all of its items whose predecessors are placed, and what becomes
    ready by that. Of the turns that begin with `first` and those that leave it for later, the ones with fewer
    parts of that label are taken: for two labels no other cut has fewer.

    Args:
        labels: of each item.
        first: the label that there should be few parts of.
        starts: items that no part may hold together with one of their direct predecessors.
        apart: labels whose parts are cut further, into what hangs together by edges.

    Returns:
        parts, each ascending; together they hold every item once.

    Raises:
        UserError: the graph has a cycle.
    """
    edges = tuple(edges)
    before, _ = neighbours(len(labels), edges)
    others = [label for label in dict.fromkeys(labels) if label != first]
    runs = [_turns(labels, before, turns, starts) for turns in ([first, *others], [*others, first])]
    best = min(runs, key=lambda parts: sum(labels[part[0]] == first for part in parts))
    return tuple(
        piece for part in best for piece in (_pieces(part, before) if labels[part[0]] in apart else [part])
    )


def _turns(
    labels: Sequence[Hashable],
    before: Sequence[Sequence[int]],
    turns: Sequence[Hashable],
    starts: Collection[int],
) -> list[Part]:
    placed: set[int] = set()
    parts: list[Part] = []
    while len(placed) < len(labels):
        count = len(parts)
        for label in turns:
            part = _ready(label, labels, before, placed, starts)
            if part:
                parts.append(part)
                placed.update(part)
        if len(parts) == count:
            raise UserError("search: the graph has a cycle.", "Give edges from earlier to later items.")
    return parts


def _ready(
    label: Hashable,
    labels: Sequence[Hashable],
    before: Sequence[Sequence[int]],
    placed: Collection[int],
    starts: Collection[int],
) -> Part:
    """All items of the label that can be placed now, one after the other."""
    part: set[int] = set()
    grown = True
    while grown:  # a second pass finds something only where items are not numbered in topological order
        grown = False
        for item, own in enumerate(labels):
            if own != label or item in placed or item in part:
                continue
            if all(p in placed or (p in part and item not in starts) for p in before[item]):
                part.add(item)
                grown = True
    return tuple(sorted(part))


def _pieces(part: Part, before: Sequence[Sequence[int]]) -> list[Part]:
    """The weakly connected components of a part, by their first items."""
    home = {item: item for item in part}

    def root(item: int) -> int:
        while home[item] != item:
            home[item] = home[home[item]]
            item = home[item]
        return item

    for item in part:
        for earlier in before[item]:
            if earlier in home:
                low, high = sorted((root(item), root(earlier)))
                home[high] = low
    found: dict[int, list[int]] = {}
    for item in part:
        found.setdefault(root(item), []).append(item)
    return [tuple(items) for items in found.values()]
