"""Which of a layer's tactics to look at: there may be hundreds, and each costs the builder a second to measure.

A kind is an implementation and the data types that it reads and writes. Of each kind the fastest are looked at, which
the builder may choose, and some spread over the rest. Where all of them are alike, the kind is; where not, more are
looked at, and what was not is never trusted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from trtdebug.core.outcome import OfferedTactic

T = TypeVar("T")
_FASTEST = 6
_SPREAD = 6
_MORE = 48


def kinds(offered: Iterable[OfferedTactic]) -> tuple[tuple[str, ...], ...]:
    """The tactics of each kind, the fastest first; kinds in the builder's order."""
    found: dict[tuple[str, str], list[OfferedTactic]] = defaultdict(list)
    for one in offered:
        found[one.tactic.partition(":")[0], one.types].append(one)
    return tuple(
        tuple(one.tactic for one in sorted(kind, key=lambda one: one.milliseconds)) for kind in found.values()
    )


def first_looks(offered: Iterable[OfferedTactic]) -> tuple[str, ...]:
    """Of each kind the fastest tactics, and some spread evenly over the others, the slowest among them."""
    return tuple(tactic for kind in kinds(offered) for tactic in _sample(kind))


def _sample(kind: Sequence[str]) -> Iterator[str]:
    yield from kind[:_FASTEST]
    rest = kind[_FASTEST:]
    count = min(_SPREAD, len(rest))
    yield from (rest[(i + 1) * len(rest) // count - 1] for i in range(count))


@dataclass(frozen=True)
class Divided(Generic[T]):
    """A layer's tactics, as far as they were measured.

    Attributes:
        offered: all of them.
        good, bad: with which the case passes, and does not; by rising error.
        unseen: tactics that could not be measured.
    """

    offered: tuple[OfferedTactic, ...]
    good: Mapping[str, T]
    bad: Mapping[str, T]
    unseen: frozenset[str] = frozenset()

    def next_looks(self) -> tuple[str, ...]:
        """The fastest tactics not looked at yet of kinds that are neither all good nor all bad."""
        more = (
            t for kind in kinds(self.offered) if not self._is_even(kind) for t in kind if not self._seen(t)
        )
        return tuple(more)[:_MORE]

    def alike(self) -> tuple[str, ...]:
        """Tactics that were not looked at, of kinds of which all that were are bad."""
        return tuple(
            t
            for kind in kinds(self.offered)
            if self._is_even(kind) and not self.good.keys() & set(kind)
            for t in kind
            if not self._seen(t)
        )

    def doubtful(self) -> tuple[str, ...]:
        """Tactics of which nothing is known: not measurable, or not looked at and of a kind that is not even."""
        return tuple(
            t
            for kind in kinds(self.offered)
            for t in kind
            if t in self.unseen or not (self._seen(t) or self._is_even(kind))
        )

    def banned(self) -> tuple[str, ...]:
        """All but those known to be good, or of a kind that is: in the builder's order."""
        gone = {*self.bad, *self.alike(), *self.doubtful()}
        return tuple(one.tactic for one in self.offered if one.tactic in gone)

    def _seen(self, tactic: str) -> bool:
        return tactic in self.good or tactic in self.bad or tactic in self.unseen

    def _is_even(self, kind: Iterable[str]) -> bool:
        """Whether all of a kind that were measured, and some were, are good, or all are bad."""
        good, bad = self.good.keys() & set(kind), self.bad.keys() & set(kind)
        return bool(good) != bool(bad)
