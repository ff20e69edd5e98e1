"""The plainest loop around a search: what the others are held against."""

from __future__ import annotations

from collections.abc import Callable

from trtdebug.search.drive import drive_many
from trtdebug.search.types import Answer, Search, Subset, Verdict


def drive(search: Search, test: Callable[[Subset], Verdict]) -> Answer:
    """Tests what the search asks for, one subset after the other, until it is done."""
    return drive_many(search, lambda subsets: [test(subset) for subset in subsets])
