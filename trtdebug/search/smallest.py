"""Of things that help together, the fewest that still do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trtdebug.search import quickxplain
from trtdebug.search.asktell import AskTell
from trtdebug.search.drive import drive_ahead
from trtdebug.search.facts import Facts
from trtdebug.search.leftmost import checked_weights, likeliest_first
from trtdebug.search.rate import Rate
from trtdebug.search.types import Answer, Subset, Verdict

OPPOSITE: dict[Verdict, Verdict] = {"pass": "fail", "fail": "pass", "untestable": "untestable"}
"""What a verdict becomes where the question is turned around."""


@dataclass(frozen=True)
class Smallest:
    """Items that help together.

    Attributes:
        items: shown to help; never empty.
        proven: shown that none of them can be left out.
    """

    items: Subset
    proven: bool


def smallest(
    n: int,
    test: Callable[[Subset], Verdict],
    weights: Sequence[float] | None = None,
    max_trials: int | None = None,
    width: int = 1,
    prepare: Callable[[Sequence[Subset]], object] = lambda subsets: None,
) -> Smallest:
    """A smallest set of items with which the test passes, where it passes with all of them and fails with none.

    It is a smallest failing set with pass and fail exchanged. What can't be tested counts as neither.

    Args:
        n: number of items, at least one.
        test: is told items; never asked for all of them, nor for none, nor twice for the same.
        weights: per item, non-negative: how likely it is one of them; None = no idea.
        max_trials: tests at most; None = as many as it takes.
        width, prepare: see `drive_ahead`; what is tested does not depend on them, nor the answer.
    """
    search = SmallestFailing(n, weights, width, max_trials)
    search.tell(frozenset(range(n)), "fail")
    answer = drive_ahead(search, lambda items: OPPOSITE[test(items)], prepare)
    left = answer.culprits[0] if answer.culprits else answer.unresolved
    return Smallest(left, proven=bool(answer.culprits))


class SmallestFailing(AskTell[Facts]):
    """Shrinks a failing set, of which it has to be told first, to one smallest part of it that fails.

    The answer names one culprit, that part; where it is not proven to be smallest, it is `unresolved`.

    Args:
        n: number of items.
        weights: per item, non-negative: how likely it is one of them; None = no idea.
    """

    def __init__(
        self,
        n: int,
        weights: Sequence[float] | None = None,
        width: int = 1,
        max_trials: int | None = None,
    ) -> None:
        given = checked_weights(n, weights)
        order = likeliest_first(n, given, None)
        super().__init__(n, order, Facts(), width, max_trials)
        self._rate = Rate([given[item] for item in order])

    def question(self, known: Facts) -> int | None:
        belief = self._rate.scales((), known.cleared())
        return quickxplain.question(
            known,
            known.smallest_fail(self.everything),
            lambda ranks, failing: self._rate.cut(ranks, belief, failing),
        )

    def result(self) -> Answer:
        """See `Search.result`."""
        failing = self.known.smallest_fail(self.everything)
        proven = failing in self.known.culprits()
        left = self.subset(failing)
        return Answer(
            culprits=(left,) if proven else (),
            protect=self.subset(self.everything & ~self.known.largest_pass()),
            exact=proven and not self.known.contradiction,
            unresolved=frozenset() if proven else left,
            trials=self.trials,
        )
