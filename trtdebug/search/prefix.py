"""One step of a binary search for the first item at which a growing set begins to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from trtdebug.search.facts import Facts, below, bits, single

PATIENCE = 8
"""So many untestable sets are stepped around before a search calls itself stuck."""

Cut = Callable[[Sequence[int], bool], int]
"""`cut(ranks, failing)`: how many of the ranks, from the left, the next test should take (see `Rate.cut`)."""


class Step(NamedTuple):
    """Either a set to test, or the item found, or neither: stuck among untestable sets."""

    question: int | None = None
    item: int = 0


def halve(ranks: Sequence[int], failing: bool) -> int:
    """The plain cut."""
    return max(1, len(ranks) // 2) if failing else len(ranks)


def step(facts: Facts, base: int, items: int, cut: Cut) -> Step:
    """Next step towards the lowest item x with: `base` and the `items` up to x fail, without x they pass."""
    lo, hi = facts.passes_below(base, items), facts.fails_below(base, items)
    block = items & ~below(lo)
    if hi is not None:
        block &= below(hi)
        if single(block):
            return Step(item=block)
    # What passed elsewhere is innocent unless items interact: cut between the others while there are any.
    suspects = block & ~facts.cleared(base)
    if single(suspects) and hi is not None:
        if facts.verdict(base | suspects) is None:
            return Step(question=base | suspects)
        suspects = 0
    ranks = bits(suspects or block)
    # Out of three, one alone pays off only where culprits are single: before one is known, test a prefix.
    singles = any(single(mask) for mask in facts.fails)
    counts = outwards(cut(ranks, hi is not None), len(ranks) - (hi is not None))
    for count in islice(counts, PATIENCE):
        alone = base | 1 << ranks[0]
        if count == 1 and (base or singles or len(ranks) != 3) and facts.verdict(alone) is None:
            return Step(question=alone)  # if it fails, that is the proof as well
        question = base | items & (below(ranks[count - 1] + 1) if count < len(ranks) else -1)
        if facts.verdict(question) is None:
            return Step(question=question)
    return Step()


def outwards(start: int, end: int) -> Iterator[int]:
    """`start`, then its neighbours by distance, within 1..end."""
    for distance in range(end):
        if start - distance >= 1:
            yield start - distance
        if distance and start + distance <= end:
            yield start + distance
