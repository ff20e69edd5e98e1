"""The largest convex set of allowed items in a graph: no path leaves it and comes back.

A convex set without forbidden items lies, for each forbidden item, clear of its ancestors or clear of its
descendants; and whatever is clear of one of the two for each of them is convex. So the largest one is a choice of
a side for each forbidden item. The choices are searched by branch and bound (forbidden items in topological
order; the bound is what no choice so far excludes), which is exact unless it runs out of steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from trtdebug.search.topology import Edge, branchwise, closures

_STEPS = 20_000


@dataclass(frozen=True)
class Convex:
    """A convex set.

    Attributes:
        items: ascending.
        exact: no convex set of allowed items is larger; False: the search was given up, there may be one.
    """

    items: tuple[int, ...]
    exact: bool


def largest_convex(n: int, edges: Iterable[Edge], forbidden: Collection[int], steps: int = _STEPS) -> Convex:
    """The largest convex set of items 0..n-1 without a forbidden one; it need not be connected.

    Args:
        steps: choices that are looked at, at most.

    Raises:
        UserError: the graph has a cycle.
    """
    edges = tuple(edges)
    order = branchwise(n, edges)
    ancestors, descendants = closures(order, edges)
    walls = [rank for rank, item in enumerate(order) if item in forbidden]

    def seen(mask: int) -> int:
        """Bits of the forbidden items, numbered among themselves, that a mask over ranks holds."""
        return sum(1 << bit for bit, rank in enumerate(walls) if mask >> rank & 1)

    classes: dict[tuple[int, int], list[int]] = {}
    for rank, item in enumerate(order):
        if item not in forbidden:
            classes.setdefault((seen(ancestors[rank]), seen(descendants[rank])), []).append(item)
    groups = [(*relation, len(items)) for relation, items in classes.items()]
    best, exact = _choose(groups, len(walls), steps)
    chosen = {(above, below) for above, below, _ in best}
    items = sorted(item for relation, found in classes.items() if relation in chosen for item in found)
    return Convex(tuple(items), exact)


_Group = tuple[int, int, int]
"""Items alike: forbidden items above them, those below them (bit masks), and how many the group has."""


def _choose(groups: list[_Group], walls: int, steps: int) -> tuple[list[_Group], bool]:
    """The groups that the best choice of sides leaves, and whether all choices were looked at or bounded."""
    best: list[_Group] = []
    todo = [
        (0, groups)
    ]  # the next forbidden item to choose a side of, and what no choice before has excluded
    while todo and steps > 0:
        steps -= 1
        wall, alive = todo.pop()
        if _size(alive) <= _size(best):
            continue
        if wall == walls:
            best = alive
            continue
        sides = [[group for group in alive if not group[side] >> wall & 1] for side in (1, 0)]
        sides.sort(key=_size)
        if len(sides[1]) == len(alive):
            sides = sides[1:]  # a side that excludes nothing is the better one
        todo += [(wall + 1, side) for side in sides]
    return best, not any(_size(alive) > _size(best) for _, alive in todo)


def _size(groups: list[_Group]) -> int:
    return sum(count for *_, count in groups)
