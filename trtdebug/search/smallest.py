"""Of things that help together, the fewest that still do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trtdebug.search import quickxplain
from trtdebug.search.facts import Facts, bits
from trtdebug.search.leftmost import checked_weights, likeliest_first
from trtdebug.search.rate import Rate
from trtdebug.search.types import Subset, Verdict

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
) -> Smallest:
    """A smallest set of items with which the test passes, where it passes with all of them and fails with none.

    It is a smallest failing set with pass and fail exchanged. What can't be tested counts as neither.

    Args:
        n: number of items, at least one.
        test: is told items; never asked for all of them, nor for none, nor twice for the same.
        weights: per item, non-negative: how likely it is one of them; None = no idea.
        max_trials: tests at most; None = as many as it takes.
    """
    given = checked_weights(n, weights)
    order = likeliest_first(n, given, None)
    rate, everything = Rate([given[item] for item in order]), (1 << n) - 1
    facts = Facts()
    facts.add(everything, "fail")
    facts.add(0, "pass")

    def items(mask: int) -> Subset:
        return frozenset(order[rank] for rank in bits(mask))

    trials = 0
    while max_trials is None or trials < max_trials:
        belief = rate.scales((), facts.cleared())
        question = quickxplain.question(
            facts,
            facts.smallest_fail(everything),
            lambda ranks, failing: rate.cut(ranks, belief, failing),  # noqa: B023 - not kept
        )
        if question is None:
            break
        facts.add(question, OPPOSITE[test(items(question))])
        trials += 1
    helping = facts.smallest_fail(everything)
    return Smallest(items(helping), helping in facts.culprits())
