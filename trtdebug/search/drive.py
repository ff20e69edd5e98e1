"""The loops around a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trtdebug.search.types import Answer, Search, Subset, Verdict


def drive_many(search: Search, test: Callable[[Sequence[Subset]], Sequence[Verdict]]) -> Answer:
    """Tests what the search asks for at once (its `width`) at once, until it is done."""
    while questions := search.ask():
        for subset, verdict in zip(questions, test(questions), strict=True):
            search.tell(subset, verdict)
    return search.result()


def drive_ahead(
    search: Search, test: Callable[[Subset], Verdict], prepare: Callable[[Sequence[Subset]], object]
) -> Answer:
    """Tests one subset after the other, whatever the search's `width`: that only says what is prepared.

    What the search asks first is prepared with what it would ask next, after either verdict. Of each such round at most
    `width - 1` subsets are in vain, and there are no more rounds than subsets with a width of 1.

    Args:
        search: its first question does not depend on its width.
        prepare: is given each subset before it is tested, with others that may be next.
    """
    ready: set[Subset] = set()
    while questions := search.ask():
        if questions[0] not in ready:
            fresh = [subset for subset in questions if subset not in ready]
            prepare(fresh)
            ready.update(fresh)
        search.tell(questions[0], test(questions[0]))
    return search.result()
