"""What the told verdicts imply. Subsets are bit masks here: bit i is the item of rank i."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, count

from trtdebug.search.types import Verdict


def below(rank: int) -> int:
    """Mask of all ranks under `rank`."""
    return (1 << rank) - 1


_VALUES = bytes.maketrans(b"01", b"\0\1")


def digits(mask: int) -> bytes:
    """0 or 1 for each rank, up to the highest in `mask`: selectors for `itertools.compress`."""
    return bin(mask)[:1:-1].encode().translate(_VALUES)


def bits(mask: int) -> list[int]:
    """Ranks in `mask`, ascending."""
    return list(compress(count(), digits(mask)))


def lowest(mask: int, count: int) -> int:
    """The `count` lowest bits of `mask`."""
    return sum(1 << rank for rank in bits(mask)[:count])


def single(mask: int) -> bool:
    """Whether `mask` holds exactly one item."""
    return mask.bit_count() == 1


class Facts:
    """Verdicts and what follows: a part of a passing set passes, a set with a failing part fails.

    Fail wins where verdicts contradict each other: what failed once can fail. So nothing is ever asked twice.

    Attributes:
        passes: the largest sets known to pass; the empty set is one from the start.
        fails: the smallest sets known to fail.
        untestable: sets that could not be tested.
        contradiction: two verdicts can't both be true of a monotone, repeatable test.
    """

    def __init__(self) -> None:
        self.passes: list[int] = [0]
        self.fails: list[int] = []
        self.untestable: set[int] = set()
        self.contradiction = False

    def assume(self, mask: int, verdict: Verdict) -> Facts:
        """A copy that knows one verdict more."""
        copy = type(self)()
        copy.passes, copy.fails = self.passes.copy(), self.fails.copy()
        copy.untestable, copy.contradiction = self.untestable.copy(), self.contradiction
        copy.add(mask, verdict)
        return copy

    def add(self, mask: int, verdict: Verdict) -> None:
        known = self.verdict(mask)
        if verdict == "untestable":
            if known is None:
                self.untestable.add(mask)
            return
        if verdict == known:
            return
        self.contradiction |= known in ("pass", "fail")
        if verdict == "fail" and mask:
            self.passes = [p for p in self.passes if mask & ~p] or [0]
            self.fails = [f for f in self.fails if mask & ~f]
            self.fails.append(mask)
        elif verdict == "pass" and known != "fail":
            self.passes = [p for p in self.passes if p & ~mask]
            self.passes.append(mask)

    def verdict(self, mask: int) -> Verdict | None:
        """The verdict of a set as far as it is known."""
        if any(not mask & ~p for p in self.passes):
            return "pass"
        if any(not f & ~mask for f in self.fails):
            return "fail"
        return "untestable" if mask in self.untestable else None

    def culprits(self) -> Iterator[int]:
        """The failing sets all of whose smaller parts are known to pass."""
        for mask in self.fails:
            if single(mask) or all(self.verdict(mask ^ (1 << rank)) == "pass" for rank in bits(mask)):
                yield mask

    def smallest_fail(self, within: int) -> int:
        """The failing set with the fewest items inside `within`; 0 when none is known."""
        return min((f for f in self.fails if not f & ~within), key=lambda f: (f.bit_count(), f), default=0)

    def largest_pass(self) -> int:
        """The passing set with the most items."""
        return max(self.passes, key=lambda p: (p.bit_count(), p))

    def cleared(self, base: int = 0) -> int:
        """Items seen in a passing set that holds all of `base`: innocent, unless items interact."""
        union = 0
        for p in self.passes:
            if not base & ~p:
                union |= p
        return union

    def passes_below(self, base: int, items: int) -> int:
        """The largest rank r such that `base` and the `items` below r are known to pass together; else 0."""
        best = 0
        for p in self.passes:
            if not base & ~p:
                missing = items & ~p
                best = max(best, (missing & -missing or 1 << items.bit_length()).bit_length() - 1)
        return best

    def fails_below(self, base: int, items: int) -> int | None:
        """The smallest rank r such that `base` and the `items` below r are known to fail together."""
        everything = base | items
        return min(((f & ~base).bit_length() for f in self.fails if not f & ~everything), default=None)


class LoneFacts(Facts):
    """The same where every culprit fails alone: then sets that pass also pass together.

    Of a failing set only what was never seen to pass is under suspicion; when that is one item, it is proven.
    A set that fails although each part of it was seen to pass contradicts the promise.
    """

    def add(self, mask: int, verdict: Verdict) -> None:
        known = self.verdict(mask)
        if verdict == "untestable" or known in (verdict, "fail"):
            super().add(mask, verdict)
            return
        cleared = self.passes[0] | mask if verdict == "pass" else self.passes[0]
        self.contradiction |= known == "pass"
        if known == "pass":
            cleared &= ~mask
        suspects = {fail & ~cleared for fail in (*self.fails, *((mask,) if verdict == "fail" else ()))}
        self.contradiction |= 0 in suspects
        self.passes = [cleared]
        self.fails = sorted(
            f for f in suspects if f and not any(g and g != f and not g & ~f for g in suspects)
        )
