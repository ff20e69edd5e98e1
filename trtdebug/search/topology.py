"""Graphs of items: plain numbers, no ONNX. An edge (a, b) says that b reads what a writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trtdebug.core.errors import UserError

Edge = tuple[int, int]


def neighbours(n: int, edges: Iterable[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    """Items before and after each item, ascending. Raises `UserError` for an item that doesn't exist."""
    before: list[list[int]] = [[] for _ in range(n)]
    after: list[list[int]] = [[] for _ in range(n)]
    for a, b in sorted(set(edges)):
        if not (0 <= a < n and 0 <= b < n):
            raise UserError(f"search: edge {a} -> {b} leaves the graph.", f"Items are 0..{n - 1}.")
        after[a].append(b)
        before[b].append(a)
    return before, after


def branchwise(n: int, edges: Iterable[Edge]) -> tuple[int, ...]:
    """A topological order that ends a branch before it begins the next one; else by number.

    Every run of consecutive items is then a piece of a branch or whole branches. That keeps what a search
    exposes or protects together in one place of the graph, whatever order a file has its nodes in.

    Raises:
        UserError: the graph has a cycle.
    """
    before, after = neighbours(n, edges)
    missing = [len(items) for items in before]
    ready = [item for item in reversed(range(n)) if not missing[item]]
    order: list[int] = []
    while ready:
        item = ready.pop()  # the latest that became ready: deeper, not wider
        order.append(item)
        for follower in reversed(after[item]):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    if len(order) < n:
        raise UserError("search: the graph has a cycle.", "Give edges from earlier to later items.")
    return tuple(order)


def closures(order: Sequence[int], edges: Iterable[Edge]) -> tuple[list[int], list[int]]:
    """Ancestors and descendants of each rank, itself included, as bit masks over ranks.

    Args:
        order: topological, as of `branchwise`.
    """
    before, after = neighbours(len(order), edges)
    rank = {item: position for position, item in enumerate(order)}
    ancestors, descendants = ([1 << position for position in range(len(order))] for _ in range(2))
    for position, item in enumerate(order):
        for earlier in before[item]:
            ancestors[position] |= ancestors[rank[earlier]]
    for position, item in reversed(list(enumerate(order))):
        for later in after[item]:
            descendants[position] |= descendants[rank[later]]
    return ancestors, descendants
