"""The plain loop around a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trtdebug.search.types import Answer, Search, Subset, Verdict


def drive(search: Search, test: Callable[[Subset], Verdict]) -> Answer:
    """Tests what the search asks for, one subset after the other, until it is done."""
    return drive_many(search, lambda subsets: [test(subset) for subset in subsets])


def drive_many(search: Search, test: Callable[[Sequence[Subset]], Sequence[Verdict]]) -> Answer:
    """The same; what the search asks for at once (its `width`) is tested at once."""
    while questions := search.ask():
        for subset, verdict in zip(questions, test(questions), strict=True):
            search.tell(subset, verdict)
    return search.result()
