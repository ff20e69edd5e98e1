"""Bayesian search for tests that don't always tell the truth: the same subset may be asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from trtdebug.core.errors import UserError
from trtdebug.search.asktell import AskTell
from trtdebug.search.belief import Belief, Floats
from trtdebug.search.facts import below, bits, digits
from trtdebug.search.leftmost import checked_weights, likeliest_first
from trtdebug.search.prefix import outwards
from trtdebug.search.rate import Rate
from trtdebug.search.topology import Edge
from trtdebug.search.types import Answer, Verdict

FLIPS = (0.02, 0.05, 0.1, 0.2, 0.3)
_NONE_FIRST, _NONE_LATER = 0.02, 0.5
"""Chance that nothing is wrong: at first (the case was seen to fail), and after each culprit that was found."""
_TELLING = 1e-4
"""A test that tells fewer bits than this is not worth asking for."""


class Told:
    """Verdicts in their order, the last one first. Untestable is no noise: such a set is never asked for again.

    Attributes:
        before: all but the last verdict.
        last: the set, and whether it failed; None before the first and where it was untestable.
        beliefs: what follows for a search among some items with some kept exposed.
    """

    def __init__(self, before: Told | None = None, last: tuple[int, bool] | None = None) -> None:
        self.before, self.last = before, last
        self.untestable: frozenset[int] = before.untestable if before else frozenset()
        self.beliefs: dict[tuple[int, int], Belief] = {}

    def assume(self, mask: int, verdict: Verdict) -> Told:
        if verdict != "untestable":
            return Told(self, (mask, verdict == "fail"))
        told = Told(self)
        told.untestable |= {mask}
        return told

    def belief(self, items: int, kept: int, start: Callable[[], Belief]) -> Belief:
        """What the verdicts tell about `items` while `kept` is exposed and nothing else."""
        path, told = [], self
        while (items, kept) not in told.beliefs and told.before is not None:
            path.append(told)
            told = told.before
        belief = (
            told.beliefs.setdefault((items, kept), start())
            if told.before is None
            else told.beliefs[items, kept]
        )
        for told in reversed(path):
            if told.last and not kept & ~told.last[0] and not told.last[0] & ~(kept | items):
                belief = belief.after(_selector(told.last[0], items), told.last[1])
            told.beliefs[items, kept] = belief
        return belief

    def passing(self) -> int:
        """The largest set that passed more often than it failed; the empty set if there is none."""
        balance = Counter({0: 1})
        told: Told | None = self
        while told is not None:
            if told.last:
                balance[told.last[0]] += -1 if told.last[1] else 1
            told = told.before
        return max((mask for mask, passes in balance.items() if passes > 0), key=lambda m: (m.bit_count(), m))


class Stand(NamedTuple):
    """Where the search stands.

    Attributes:
        question: the next set to test; None when done, or when nothing testable would tell more.
        found: the culprits, in the order they were found.
        suspects: smallest set that should hold the first item of the culprit hunted now, and the items that
            are kept for it; none once all else passes together.
    """

    question: int | None
    found: tuple[int, ...]
    suspects: int = 0


class Noisy(AskTell[Told]):
    """Finds culprits one after the other, each step as sure as `confidence`, from verdicts that may be wrong.

    Each step is a noisy binary search for the first item of a culprit (see `Belief`): the test that tells
    most is asked for, which is a prefix at first, then the suspect alone and all but the suspect. An item
    that fails only jointly is kept exposed while the next one is looked for before it.

    Args:
        n, weights, edges: as of `Leftmost`.
        flips: rates at which a verdict may be wrong; which one holds is learnt. One rate: it is known.
        confidence: how sure a step has to be, 0.5..1, both excluded.
    """

    def __init__(
        self,
        n: int,
        weights: Sequence[float] | None = None,
        edges: Iterable[Edge] | None = None,
        flips: Sequence[float] = FLIPS,
        confidence: float = 0.99,
        width: int = 1,
        max_trials: int | None = None,
    ) -> None:
        if not flips or not all(0 < flip < 0.5 for flip in flips) or not 0.5 < confidence < 1:
            raise UserError(
                f"search: flips={tuple(flips)}, confidence={confidence}.",
                "Give one rate or more between 0 and 0.5, and a confidence between 0.5 and 1.",
            )
        given = checked_weights(n, weights)
        edges = None if edges is None else sorted({(a, b) for a, b in edges})
        order = likeliest_first(n, given, edges)
        super().__init__(n, order, Told(), width, max_trials)
        self.flips = tuple(flips)
        self.confidence = confidence
        self._weights = np.array(Rate([given[item] for item in order]).weights)

    def question(self, known: Told) -> int | None:
        return self._stand(known).question

    def result(self) -> Answer:
        """See `Search.result`. Culprits are as sure as `confidence`; `exact` says the same of all of it."""
        stand = self._stand(self.known)
        ended = stand.question is None and not stand.suspects
        named = _union(stand.found)
        protect = named if ended else self.everything & ~self.known.passing()
        notes = [f"by repeated trials: each step is at least {self.confidence:.0%} sure"]
        if stand.question is not None:
            notes.append("stopped before the end")
        elif stand.suspects:
            notes.append("some sets could not be tested")
        return Answer(
            culprits=tuple(self.subset(mask) for mask in stand.found),
            protect=self.subset(protect),
            exact=ended,
            unresolved=self.subset(stand.suspects & ~named),
            trials=self.trials,
            note="; ".join(notes),
        )

    def _stand(self, known: Told) -> Stand:
        found: tuple[int, ...] = ()
        kept = 0
        while True:
            items = self.everything & ~_union(found)
            if kept:
                items &= below(bits(kept)[0])
            if not items:
                return Stand(None, found)
            weights = self._weights[_selector(items, self.everything) > 0]
            start = partial(Belief, weights, _NONE_LATER if found else _NONE_FIRST, self.flips)
            belief = known.belief(items, kept, start)
            decided = belief.decided(self.confidence)
            if decided is None:
                question = self._best(known, items, kept, belief)
                return Stand(question, found, self._suspects(items, belief) | kept)
            item = 1 << bits(items)[decided.item]
            if decided.how == "joint":
                kept |= item
            elif decided.how == "alone":
                found, kept = (*found, kept | item), 0
            else:
                return Stand(None, found, kept)

    def _best(self, known: Told, items: int, kept: int, belief: Belief) -> int | None:
        """The testable set that tells most; the first of equals."""
        best, most = None, _TELLING
        for mask in self._candidates(known, items, kept, belief):
            bits_told = belief.information(_selector(mask, items))
            if bits_told > most + 1e-12:
                best, most = mask, bits_told
        return best

    def _candidates(self, known: Told, items: int, kept: int, belief: Belief) -> Iterator[int]:
        ranks = bits(items)
        suspect = 1 << ranks[int(np.argmax(belief.items))]
        middle = int(np.searchsorted(np.cumsum(belief.items), 0.5)) + 1
        cuts = (
            items & below(ranks[count - 1] + 1) for count in outwards(min(middle, len(ranks)), len(ranks))
        )
        testable = (kept | cut for cut in cuts if kept | cut not in known.untestable)
        yield from islice(testable, 2)
        for mask in (kept | suspect, kept | items, kept | items & ~suspect):
            if mask not in known.untestable:
                yield mask

    def _suspects(self, items: int, belief: Belief) -> int:
        ranks, chances = bits(items), belief.items
        mask, mass = 0, belief.none
        for index in np.argsort(-chances, kind="stable"):
            if mass >= self.confidence:
                break
            mask, mass = mask | 1 << ranks[index], mass + chances[index]
        return mask


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _selector(mask: int, items: int) -> Floats:
    """1 for each of `items` that is in `mask`, else 0."""
    chosen = np.zeros(items.bit_length())
    within = np.frombuffer(digits(mask & items), np.uint8)
    chosen[: len(within)] = within
    return np.asarray(chosen[np.frombuffer(digits(items), np.uint8) > 0])
