"""The smallest piece of a graph that still fails: cut from the inputs' side, from the outputs' side, then inside."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from trtdebug.search.asktell import AskTell
from trtdebug.search.facts import Facts, bits
from trtdebug.search.prefix import PATIENCE, outwards
from trtdebug.search.topology import Edge, branchwise, closures
from trtdebug.search.types import Answer


class Cut(NamedTuple):
    """How far a failing piece could be cut.

    Attributes:
        question: the next piece to test; None when done.
        piece: the smallest piece known to fail.
        kept: items without which it passes.
        stuck: items that stay because what is left without them can't be tested.
    """

    question: int | None
    piece: int
    kept: int = 0
    stuck: int = 0


class SmallestPiece(AskTell[Facts]):
    """Reduces a failing graph to a smallest piece of it that fails, whatever branches and residuals it has.

    A subset of the items stands for the piece of the graph that they make, fed with recorded values. As long
    as possible only convex pieces are asked for (no path leaves one and comes back): what is not a descendant
    of a needed item is cut off from the inputs' side, what is not an ancestor from the outputs' side, each by
    bisection; so a branch goes as a whole. Only then items between needed ones are left out.

    The answer names one culprit, the piece. `exact`: without any of its items it passes, which was shown.

    Args:
        n: number of items.
        edges: (a, b) where item b reads what item a writes; no cycles.
    """

    def __init__(self, n: int, edges: Iterable[Edge], width: int = 1, max_trials: int | None = None) -> None:
        edges = sorted({(a, b) for a, b in edges})
        order = branchwise(max(0, n), edges)
        super().__init__(n, order, Facts(), width, max_trials)
        self._ancestors, self._descendants = closures(order, edges)

    def question(self, known: Facts) -> int | None:
        return self._cut(known).question

    def result(self) -> Answer:
        """See `Search.result`."""
        cut = self._cut(self.known)
        proven = cut.piece in self.known.culprits()
        passes = self.known.verdict(self.everything) == "pass"
        notes = []
        if cut.question is not None:
            notes.append("stopped before the end")
        elif not proven and not passes:
            notes.append("some pieces could not be tested")
        if self.known.contradiction:
            notes.append("contradiction: verdicts that can't all be true; what failed once counts as failing")
        return Answer(
            culprits=(self.subset(cut.piece),) if proven else (),
            protect=self.subset(self.everything & ~self.known.largest_pass()),
            exact=(proven or passes) and not self.known.contradiction,
            unresolved=frozenset() if proven or passes else self.subset(cut.piece),
            trials=self.trials,
            note="; ".join(notes),
        )

    def _cut(self, known: Facts) -> Cut:
        verdict = known.verdict(self.everything)
        if verdict != "fail":
            return Cut(self.everything if verdict is None else None, self.everything if verdict else 0)
        cut = Cut(None, self.everything)
        while True:
            needed = cut.kept | cut.stuck
            hull = self._hull(needed) & cut.piece
            if needed and known.verdict(hull) is None:
                return cut._replace(question=hull)
            if needed and known.verdict(hull) == "fail":
                cut = cut._replace(piece=hull)
            ranks = self._removable(cut.piece, needed)
            if not ranks:
                return cut
            cut = _shorten(known, cut, ranks)
            if cut.question is not None:
                return cut

    def _hull(self, mask: int) -> int:
        """The smallest convex piece that holds `mask`."""
        above = below = 0
        for rank in bits(mask):
            above, below = above | self._ancestors[rank], below | self._descendants[rank]
        return above & below

    def _removable(self, piece: int, needed: int) -> list[int]:
        """Items that may go, in an order in which what is left stays convex; inner ones only when no other."""
        above = below = 0
        for rank in bits(needed):
            above, below = above | self._ancestors[rank], below | self._descendants[rank]
        inputs_side = bits(piece & ~below)
        outputs_side = bits(piece & ~above)[::-1]
        return inputs_side or outputs_side or bits(piece & ~needed)


def _shorten(known: Facts, cut: Cut, ranks: list[int]) -> Cut:
    """Leaves out as many of `ranks`, from the left, as it takes without passing; the next one is needed."""
    pieces = [cut.piece]
    for rank in ranks:
        pieces.append(pieces[-1] & ~(1 << rank))
    low, high = 0, len(ranks) + 1
    for count, piece in enumerate(pieces):
        verdict = known.verdict(piece)
        if verdict == "fail":
            low = count
        elif verdict == "pass":
            high = count
            break
    most = high - 1
    if low < most == len(ranks) and cut.kept and known.verdict(pieces[-1]) is None:
        return cut._replace(question=pieces[-1])  # most often all of them may go
    for count in islice(outwards(max(1, (high - low) // 2), most - low), PATIENCE):
        if known.verdict(pieces[low + count]) is None:
            return cut._replace(question=pieces[low + count])
    if low == len(ranks):
        return cut._replace(piece=pieces[low])
    if low == most:
        return cut._replace(piece=pieces[low], kept=cut.kept | 1 << ranks[low])
    skip = (
        cut.stuck.bit_count() if most - low > PATIENCE else 1
    )  # nothing to be tested far and wide: give up soon
    stuck = pieces[low] & ~pieces[min(low + max(1, skip), len(ranks))]
    return cut._replace(piece=pieces[low], stuck=cut.stuck | stuck)
