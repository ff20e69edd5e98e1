"""Repeated leftmost bisection: finds culprits one after the other until everything else passes together."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from trtdebug.core.errors import UserError
from trtdebug.search import quickxplain
from trtdebug.search.asktell import AskTell
from trtdebug.search.facts import Facts, below, lowest
from trtdebug.search.prefix import step
from trtdebug.search.protect import grow
from trtdebug.search.rate import Rate
from trtdebug.search.types import Answer, Subset


class Hunt(NamedTuple):
    """Where the search stands.

    Attributes:
        question: the next set to test; None when done.
        culprits: union of the proven culprits.
        aside: items that could not be decided and are protected to go on.
        suspects: where the culprit hunted now should be, as long as items don't interact.
        kept: once done, the protect set.
        doubtful: members of `kept` whose need could not be tested.
    """

    question: int | None
    culprits: int
    aside: int
    suspects: int = 0
    kept: int = 0
    doubtful: int = 0


class Leftmost(AskTell):
    """Finds an unknown number of culprits, single or interacting.

    Grow a passing set from the likeliest items on, cut where the chance to pass is nearest to 1/2; where it
    fails, shrink the failing set to a smallest one (`quickxplain`); protect that one and go on until all the
    rest passes together.

    Args:
        n: number of items, in topological order.
        weights: per item, non-negative: how likely it is a culprit; None = no idea.
        max_culprits: with more culprits than this the failure is called diffuse and the search stops; None =
            no limit.
    """

    def __init__(
        self,
        n: int,
        weights: Sequence[float] | None = None,
        width: int = 1,
        max_trials: int | None = None,
        max_culprits: int | None = None,
    ) -> None:
        given = [1.0] * max(0, n) if weights is None else [float(weight) for weight in weights]
        if len(given) != max(0, n) or not all(isfinite(weight) and weight >= 0 for weight in given):
            raise UserError(
                f"search: the prior has {len(given)} weights for {n} items, or one below 0 or not finite.",
                "Give one finite weight >= 0 an item.",
            )
        order = sorted(range(n), key=lambda item: -given[item])  # stable: ties stay in topological order
        options = {"weights": None if weights is None else given, "max_culprits": max_culprits}
        super().__init__(n, order, width, max_trials, options)
        self.max_culprits = max_culprits
        self._rate = Rate([given[item] for item in order])

    def question(self, facts: Facts) -> int | None:
        return self._hunt(facts).question

    def suspects(self) -> Subset:
        """The items among which the culprit hunted now should be; for progress lines. Empty when done."""
        return self.subset(self._hunt(self.facts).suspects)

    def result(self) -> Answer:
        """See `Search.result`."""
        hunt = self._hunt(self.facts)
        notes = []
        diffuse = self._diffuse(self.facts)
        if diffuse:
            notes.append(f"diffuse: more than {self.max_culprits} culprits")
        if hunt.question is not None:
            notes.append("stopped before the end")
        if hunt.question is not None or diffuse:
            protect = self.everything & ~self.facts.largest_pass()
            unresolved = (protect | hunt.aside) & ~hunt.culprits
            finished = False
        else:
            protect = hunt.kept
            finished = not protect & ~hunt.culprits
            unresolved = 0 if finished else hunt.aside
            if not finished:
                notes.append("some sets could not be tested")
            elif hunt.doubtful:
                notes.append("some of the protected may be needless: that could not be tested")
        if self.facts.contradiction:
            notes.append("contradiction: verdicts that can't all be true; what failed once counts as failing")
        return Answer(
            culprits=tuple(self.subset(mask) for mask in sorted(self.facts.culprits())),
            protect=self.subset(protect),
            exact=finished and not self.facts.contradiction,
            unresolved=self.subset(unresolved),
            trials=self.trials,
            note="; ".join(notes),
        )

    def _diffuse(self, facts: Facts) -> bool:
        return self.max_culprits is not None and sum(1 for _ in facts.culprits()) > self.max_culprits

    def _hunt(self, facts: Facts) -> Hunt:
        found = 0
        for culprit in facts.culprits():
            found |= culprit
        if self._diffuse(facts):
            return Hunt(None, found, 0)
        if facts.verdict(self.everything) is None:
            return Hunt(self.everything, found, 0, self.everything)
        cleared = facts.cleared()
        belief = self._rate.scales(facts.culprits(), cleared & ~found)

        def cut(ranks: Sequence[int], failing: bool) -> int:
            return self._rate.cut(ranks, belief, failing)

        aside, skip = 0, 1
        while True:
            rest = self.everything & ~(found | aside)
            failing = facts.smallest_fail(rest)
            if failing:
                question = quickxplain.question(facts, failing, cut)
                if question is not None:
                    return Hunt(question, found, aside, failing & ~cleared or failing)
                aside |= failing
                continue
            if facts.verdict(rest) == "pass":
                break
            question = step(facts, 0, rest, cut).question
            if question is None:  # nothing that goes on from here can be tested: step over a few items
                stuck = lowest(rest & ~below(facts.passes_below(0, rest)), skip)
                question = stuck if facts.verdict(stuck) is None else None
                aside, skip = (aside, skip) if question is not None else (aside | stuck, 2 * skip)
            if question is not None:
                return Hunt(question, found, aside, rest & ~cleared or rest)
        proven = sum(culprit for culprit in facts.culprits() if culprit.bit_count() == 1)
        grown = grow(facts, rest, (found | aside) & ~proven)
        return Hunt(grown.question, found, aside, grown.kept, proven | grown.kept, grown.doubtful)
