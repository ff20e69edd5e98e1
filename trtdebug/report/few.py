"""Of many findings of one kind a few are enough to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

MOST = 3
"""Lines of one kind."""

T = TypeVar("T")


def few_of_each(items: Iterable[T], kind: Callable[[T], str]) -> Iterator[tuple[str, list[T], int]]:
    """Each kind, in the order of first appearance, its first `MOST` items, and how many more there are."""
    found: dict[str, list[T]] = {}
    for item in items:
        found.setdefault(kind(item), []).append(item)
    for name, same in found.items():
        yield name, same[:MOST], max(len(same) - MOST, 0)
