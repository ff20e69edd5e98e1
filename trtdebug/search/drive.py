"""The plain loop around a search."""

from __future__ import annotations

from collections.abc import Callable

from trtdebug.search.types import Answer, Search, Subset, Verdict


def drive(search: Search, test: Callable[[Subset], Verdict]) -> Answer:
    """Tests what the search asks for, one subset after the other, until it is done."""
    while questions := search.ask():
        for subset in questions:
            search.tell(subset, test(subset))
    return search.result()
