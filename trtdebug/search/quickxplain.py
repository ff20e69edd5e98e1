"""From a failing set to a smallest one: QuickXplain by prefixes, right for single and interacting items.

The first prefix that fails ends in an item that some failing set needs. Keep that item, drop what is behind
it, and repeat before it until the kept items fail by themselves (Junker, AAAI 2004).
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.search.facts import Facts, bits
from trtdebug.search.prefix import PATIENCE, Cut, halve, step


def question(facts: Facts, failing: int, cut: Cut) -> int | None:
    """The next set to test in order to shrink `failing`; None when no testable set is left that could.

    Args:
        failing: the smallest known failing set (`Facts.smallest_fail`), not proven minimal.
        cut: for the first item; later ones are looked for by halves.
    """
    kept, rest = 0, failing
    while True:  # `kept` and `rest` fail together, so that `kept` fails at the latest when `rest` is empty
        found = step(facts, kept, rest, halve if kept else cut)
        if found.question is not None:
            return found.question
        if not found.item:
            break
        kept, rest = kept | found.item, rest & (found.item - 1)
        known = facts.verdict(kept)
        if known is None:
            return kept
        if known == "fail":
            break
    return next((part for part in parts(failing) if facts.verdict(part) is None), None)


def parts(mask: int) -> Iterator[int]:
    """Other ways to split `mask`, for where its prefixes can't be tested: chunks and their complements."""
    ranks = bits(mask)
    pieces, tried = 2, 0
    while tried < 2 * PATIENCE and pieces < 2 * len(ranks):
        for start in range(min(pieces, len(ranks))):
            chunk = sum(1 << rank for rank in ranks[start::pieces])
            yield chunk
            yield mask ^ chunk
            tried += 2
        pieces *= 2
