"""What noisy verdicts make likely: Bayes over the first culprit among items in order, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
How = Literal["alone", "joint", "none"]

_KINDS = (0.82, 0.15, 0.03)
"""Before the first trial: the culprit is the only one; there are more behind it; it fails only jointly."""


class Decided(NamedTuple):
    """What is sure enough: the item at this position fails alone, or only jointly, or none does."""

    how: How
    item: int = 0


class Belief:
    """Posterior of: which of `m` items is the first that a culprit needs, and how the culprit fails.

    The first item x is the least one with: the items up to x fail together. A hypothesis is x and a kind, or
    that all items together pass. It foretells each test as the chance f that the set really fails; the verdict
    of it is then wrong at the rate p, one of `flips`, equally likely at first:

    * only: fails where x is exposed.
    * more: there too, and otherwise by the share of the weight behind x that is exposed.
    * joint: where x is exposed, by the share of the weight before x that is.
    * none: never.

    Args:
        weights: how likely each item is, > 0, shape (m,).
        none: chance, before any trial, that all items together pass, 0..1.
        flips: rates at which a verdict may be wrong, each in 0..0.5, both excluded.
    """

    def __init__(self, weights: Floats, none: float, flips: Sequence[float]) -> None:
        self.weights = weights / weights.sum()
        self._before = np.concatenate(([0.0], np.cumsum(self.weights)[:-1]))
        self._behind = np.concatenate((np.cumsum(self.weights[::-1])[::-1][1:], [0.0]))
        self._flips = np.asarray(flips)
        prior = np.array(_KINDS)[:, None] * self.weights
        prior[1, -1] = prior[2, 0] = 0.0  # none behind the last, none before the first
        some = prior * (1 - none) / prior.sum() / len(flips)
        self._some: Floats = np.broadcast_to(some, (len(flips), *some.shape))
        self._nothing: Floats = np.full(len(flips), none / len(flips))

    def after(self, exposed: Floats, failed: bool) -> Belief:
        """What is believed after one more verdict, of the set with this item selector, shape (m,)."""
        chance = self._chance(exposed)
        some = self._some * (chance if failed else 1 - chance)
        nothing = self._nothing * (self._flips if failed else 1 - self._flips)
        belief = copy(self)
        total = some.sum() + nothing.sum()
        belief._some, belief._nothing = some / total, nothing / total
        return belief

    @property
    def items(self) -> Floats:
        """Chance of each item to be the first, shape (m,); adds up to 1 - `none`."""
        return np.asarray(self._some.sum(axis=(0, 1)))

    @property
    def none(self) -> float:
        """Chance that all items together pass."""
        return float(self._nothing.sum())

    def decided(self, confidence: float) -> Decided | None:
        """What has at least this chance; None when nothing has."""
        if self.none >= confidence:
            return Decided("none")
        only, more, joint = self._some.sum(axis=0)
        item = int(np.argmax(only + more + joint))
        if only[item] + more[item] >= confidence:
            return Decided("alone", item)
        if joint[item] >= confidence:
            return Decided("joint", item)
        return None

    def information(self, exposed: Floats) -> float:
        """Bits that a test of this set is expected to tell about the hypotheses."""
        chance, flips = self._chance(exposed), self._flips
        expected = (self._some * chance).sum() + (self._nothing * flips).sum()
        noise = (self._some * _entropy(chance)).sum() + (self._nothing * _entropy(flips)).sum()
        return float(_entropy(expected) - noise)

    def _chance(self, exposed: Floats) -> Floats:
        """Chance of the verdict fail by flip rate, kind and item."""
        weight = self.weights * exposed
        below = np.concatenate(([0.0], np.cumsum(weight)[:-1]))
        above = np.concatenate((np.cumsum(weight[::-1])[::-1][1:], [0.0]))
        share_above = np.divide(above, self._behind, out=np.zeros_like(above), where=self._behind > 0)
        share_below = np.divide(below, self._before, out=np.zeros_like(below), where=self._before > 0)
        fails = np.stack((exposed, np.maximum(exposed, share_above), exposed * share_below))
        flips = self._flips[:, None, None]
        return np.asarray(flips + (1 - 2 * flips) * np.clip(fails, 0.0, 1.0))


def _entropy(chance: Floats | np.float64) -> Floats:
    """Bits; chances in 0..1, both excluded."""
    return np.asarray(-chance * np.log2(chance) - (1 - chance) * np.log2(1 - chance))
