"""Repeated leftmost bisection: finds culprits one after the other until everything else passes together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import frexp, isfinite
from typing import NamedTuple

from trtdebug.core.errors import UserError
from trtdebug.search import quickxplain
from trtdebug.search.asktell import AskTell
from trtdebug.search.facts import Facts, LoneFacts, below, bits, lowest
from trtdebug.search.prefix import Cut, step
from trtdebug.search.protect import grow
from trtdebug.search.rate import BELIEF, LONE_BELIEF, Rate
from trtdebug.search.topology import Edge, branchwise
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


class Leftmost(AskTell[Facts]):
    """Finds an unknown number of culprits, single or interacting.

    Grow a passing set from the likeliest items on, cut where the chance to pass is nearest to 1/2; where it
    fails, shrink the failing set to a smallest one (`quickxplain`); protect that one and go on until all the
    rest passes together. With several builders it looks into all failing sets at once, each cut in as many
    parts as there are builders for it.

    Args:
        n: number of items.
        weights: per item, non-negative: how likely it is a culprit; None = no idea.
        edges: (a, b) where item b reads what item a writes. Items of like weight then stand branch by branch,
            so that what is tested or left undecided lies in one branch; None = items are in a good order.
        lone: every culprit is promised to fail alone. Saves their proofs; a broken promise shows as a
            contradiction or not at all, so promise only what you know.
        max_culprits: with more culprits than this the failure is called diffuse and the search stops; None =
            no limit.
    """

    def __init__(
        self,
        n: int,
        weights: Sequence[float] | None = None,
        edges: Iterable[Edge] | None = None,
        lone: bool = False,
        width: int = 1,
        max_trials: int | None = None,
        max_culprits: int | None = None,
    ) -> None:
        given = checked_weights(n, weights)
        edges = None if edges is None else sorted({(a, b) for a, b in edges})
        order = likeliest_first(n, given, edges)
        super().__init__(n, order, LoneFacts() if lone else Facts(), width, max_trials)
        self.max_culprits = max_culprits
        self._rate = Rate([given[item] for item in order], LONE_BELIEF if lone else BELIEF)

    def question(self, known: Facts) -> int | None:
        return self._hunt(known).question

    def batch(self, known: Facts, room: int) -> Iterator[int]:
        hunt = self._hunt(known)
        if hunt.question is None or hunt.question == self.everything:
            return
        rest = self.everything & ~(hunt.culprits | hunt.aside)
        if known.verdict(rest) is None:
            yield rest
            room -= 1
        hunts = self._hunts(known, rest, hunt.suspects)[:room]
        for number, (failing, suspects) in enumerate(hunts):
            share = room // len(hunts) + (number < room % len(hunts))
            if failing and (not suspects or (suspects != failing and len(hunts) > 1)):
                # parts of it passed: the culprit may be spread over several
                ahead = list(islice(self._shrinking(known, failing), 1 if suspects else share))
                yield from ahead
                share -= len(ahead)
            for part in self._parts(suspects, share) if share else ():
                if known.verdict(part) is None:
                    yield part
        for rank in bits(hunts[0][1]) if len(hunts) == 1 else ():  # whichever it is: does all else pass?
            if known.verdict(rest ^ (1 << rank)) is None:
                yield rest ^ (1 << rank)

    def _hunts(self, known: Facts, rest: int, first: int) -> list[tuple[int, int]]:
        """Disjoint failing sets, one for each culprit that is known to be somewhere, and who in it was never cleared.

        The failing set of the first one is 0 where none is known yet.
        """
        cleared, proven = known.cleared(), set(known.culprits())
        failing = known.smallest_fail(rest)
        hunts = [(failing, failing & ~cleared if failing else first)]
        taken = hunts[0][1] or failing
        for failing in sorted(known.fails, key=lambda mask: (mask.bit_count(), mask)):
            if not failing & taken and not failing & ~rest and failing not in proven:
                hunts.append((failing, failing & ~cleared))
                taken |= failing
        return hunts

    def _shrinking(self, known: Facts, failing: int) -> Iterator[int]:
        """What a search alone would ask to make a failing set smaller, and then after either verdict."""
        ahead, asked = deque([known]), set[int]()
        while ahead and len(asked) < self.width:
            facts = ahead.popleft()
            cut = self._cut(facts)
            question = quickxplain.question(facts, facts.smallest_fail(failing), cut)
            if question is None:
                continue
            if question not in asked:
                yield question
            asked.add(question)
            ahead.extend((facts.assume(question, "pass"), facts.assume(question, "fail")))

    def _parts(self, suspects: int, count: int) -> Iterator[int]:
        """`count` parts that are equally likely to hold a culprit, and one more, which is left to inference."""
        ranks = bits(suspects)
        if len(ranks) <= count:
            yield from (1 << rank for rank in ranks)
            return
        total, mass, part, given = self._rate.mass(suspects), 0.0, 0, 0
        for rank in ranks:
            mass += self._rate.weights[rank]
            part |= 1 << rank
            if mass * (count + 1) >= total * (given + 1) - 1e-12 and given < count:
                yield part
                part, given = 0, given + 1

    def suspects(self) -> Subset:
        """The items among which the culprit hunted now should be; for progress lines. Empty when done."""
        return self.subset(self._hunt(self.known).suspects)

    def result(self) -> Answer:
        """See `Search.result`."""
        hunt = self._hunt(self.known)
        notes = []
        diffuse = self._diffuse(self.known)
        if diffuse:
            notes.append(f"diffuse: more than {self.max_culprits} culprits")
        if hunt.question is not None:
            notes.append("stopped before the end")
        if hunt.question is not None or diffuse:
            protect = self.everything & ~self.known.largest_pass()
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
        if self.known.contradiction:
            notes.append("contradiction: verdicts that can't all be true; what failed once counts as failing")
        return Answer(
            culprits=tuple(self.subset(mask) for mask in sorted(self.known.culprits())),
            protect=self.subset(protect),
            exact=finished and not self.known.contradiction,
            unresolved=self.subset(unresolved),
            trials=self.trials,
            note="; ".join(notes),
        )

    def _cut(self, facts: Facts) -> Cut:
        """Cuts by what is known of the culprits' number."""
        found = 0
        for culprit in facts.culprits():
            found |= culprit
        belief = self._rate.scales(facts.culprits(), facts.cleared() & ~found)
        return lambda ranks, failing: self._rate.cut(ranks, belief, failing)

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
        cleared, cut = facts.cleared(), self._cut(facts)
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


def checked_weights(n: int, weights: Sequence[float] | None) -> list[float]:
    """The prior as floats, flat where there is none. Raises `UserError` unless each item has one >= 0."""
    given = [1.0] * max(0, n) if weights is None else [float(weight) for weight in weights]
    if len(given) != max(0, n) or not all(isfinite(weight) and weight >= 0 for weight in given):
        raise UserError(
            f"search: the prior has {len(given)} weights for {n} items, or one below 0 or not finite.",
            "Give one finite weight >= 0 an item.",
        )
    return given


def likeliest_first(n: int, weights: Sequence[float], edges: Iterable[Edge] | None) -> list[int]:
    """Items by falling weight; within a factor of two branch by branch (see `branchwise`), or by number."""
    items = range(n) if edges is None else branchwise(n, edges)
    return sorted(items, key=lambda item: -frexp(weights[item])[1] if weights[item] else 2000)
