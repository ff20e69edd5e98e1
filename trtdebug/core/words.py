"""Lists of names in messages."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], most: int) -> str:
    """The first of the names, `most` at the most, and how many more there are: "a, b and 3 more"."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more
