"""Pins near the tolerance: whether one is needed is seen there, and not inferred.

A search takes it that what fails with more pins fails with fewer. Errors that lie near the tolerance may cancel each
other: there it fails with a pin and passes without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import Outcome
from trtdebug.search.types import Subset, Verdict

_CLEAR = 2.0
"""So many times the limit: what is left of it is no matter of which healthy nodes round."""


@dataclass(frozen=True)
class Needed:
    """Pins with which the case passes. `untested`: those of them whose need could not be tested."""

    pins: Subset
    untested: Subset


@dataclass(frozen=True)
class Failures:
    """Sets of items that fail in low precision.

    Attributes:
        everything: all items: without any pin the case fails.
        proven: fail whatever else is in low precision.
        seen: with what was seen.
    """

    everything: Subset
    proven: Collection[Subset]
    seen: Mapping[Subset, Outcome]


@dataclass(frozen=True)
class Probing:
    """How sets are tested.

    Attributes:
        test: is told what is in low precision.
        prepare: is told what may be tested next.
        width: how many are prepared at once.
    """

    test: Callable[[Subset], Verdict]
    prepare: Callable[[Sequence[Subset]], object]
    width: int


def needed(known: Needed, failures: Failures, probing: Probing, trials: int) -> Needed:
    """Tests each pin by itself whose need was inferred from failures near the tolerance; leaves out what is needless.

    Where all failures are clear, nothing is tested.

    Args:
        known: what the search found.
        failures: `probing` adds its own to those that were seen.
        trials: tests at most; a pin beyond them is untested.
    """
    pins, untested = set(known.pins), set(known.untested)
    everything, seen = failures.everything, failures.seen
    sure = [everything, *failures.proven, *(low for low, outcome in seen.items() if _is_clear(outcome))]
    for left in range(trials, -1, -1):
        lows = {pin: everything - pins | {pin} for pin in sorted(pins - untested)}
        open_ = [pin for pin, low in lows.items() if low not in seen and not any(s <= low for s in sure)]
        if not open_:
            break
        if not left:
            untested.update(open_)
            break
        probing.prepare([lows[pin] for pin in open_[: min(probing.width, left)]])
        verdict = probing.test(lows[open_[0]])
        if verdict == "pass":
            pins.remove(open_[0])
        elif verdict == "untestable":
            untested.add(open_[0])
    return Needed(frozenset(pins), frozenset(untested))


def _is_clear(outcome: Outcome) -> bool:
    """Whether it fails by so much, or so otherwise, that no other roundings make it pass."""
    shares = [e.of_limit for e in outcome.tensors if e.status == "fail"]
    return not shares or any(share is None or share >= _CLEAR for share in shares)
