"""The dual question: of a protect set that makes the case pass, which members are needed?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trtdebug.search.asktell import AskTell
from trtdebug.search.facts import Facts, below, bits, lowest
from trtdebug.search.prefix import step
from trtdebug.search.rate import Rate
from trtdebug.search.types import Answer, Subset


class Grown(NamedTuple):
    """How far a passing set could be grown.

    Attributes:
        question: the next set to test; None when done.
        kept: items that had to stay out.
        doubtful: those of `kept` that stay out only because what holds them can't be tested.
    """

    question: int | None
    kept: int
    doubtful: int


def grow(facts: Facts, base: int, items: int) -> Grown:
    """Adds to the passing set `base` as many of `items` as it takes without failing, groups first."""
    kept = doubtful = 0
    skip = 1
    while facts.verdict(base | items & ~kept) != "pass":
        rest = items & ~kept
        rate = Rate([1.0] * items.bit_length())
        belief = rate.scales((1 << rank for rank in bits(kept)), facts.cleared(base) & items)
        found = step(facts, base, rest, lambda ranks, failing: rate.cut(ranks, belief, failing))  # noqa: B023
        if found.question is not None:
            return Grown(found.question, kept, doubtful)
        if not found.item:
            stuck = lowest(rest & ~below(facts.passes_below(base, rest)), skip)
            found, skip, doubtful = found._replace(item=stuck), 2 * skip, doubtful | stuck
        kept |= found.item
    return Grown(None, kept, doubtful)


class MinimalProtect(AskTell[Facts]):
    """Reverts the needless members of a protect set.

    The answer's `protect` is a part of the given one that still passes and from which no member can be
    taken away; `exact` says that each member's need was shown, `unresolved` has those for which that could
    not be tested.

    Args:
        n: number of items.
        protect: passes when protected (asked for first unless it is told).
        necessary: members known to be needed; they are not tried.
    """

    def __init__(
        self,
        n: int,
        protect: Iterable[int],
        necessary: Iterable[int] = (),
        width: int = 1,
        max_trials: int | None = None,
    ) -> None:
        protect, necessary = frozenset(protect), frozenset(necessary)
        super().__init__(n, range(n), Facts(), width, max_trials)
        self._base = self.everything & ~self.mask(protect)
        self._open = self.mask(protect - necessary)

    def question(self, known: Facts) -> int | None:
        verdict = known.verdict(self._base)
        if verdict != "pass":
            return self._base if verdict is None else None
        return grow(known, self._base, self._open).question

    def result(self) -> Answer:
        """See `Search.result`."""
        known = self.known.verdict(self._base)
        if known != "pass":
            protect = self.subset(self.everything & ~self.known.largest_pass())
            note = f"protecting the given set: {known or 'not tested yet'}"
            return Answer((), protect, False, protect, self.trials, note)
        grown = grow(self.known, self._base, self._open)
        passing = next(
            p for p in sorted(self.known.passes, key=lambda p: (-p.bit_count(), p)) if not self._base & ~p
        )
        if grown.question is None:
            passing = self._base | self._open & ~grown.kept
            unresolved = grown.doubtful
        else:
            unresolved = self._open & ~passing & (~grown.kept | grown.doubtful)
        exact = not unresolved and not self.known.contradiction
        note = "contradiction: verdicts that can't all be true" if self.known.contradiction else ""
        protect = self.subset(self.everything & ~passing)
        return Answer(self._culprits(), protect, exact, self.subset(unresolved), self.trials, note)

    def _culprits(self) -> tuple[Subset, ...]:
        return tuple(self.subset(mask) for mask in sorted(self.known.culprits()))
