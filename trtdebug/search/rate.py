"""Where to cut: the prior weights, and how many culprits to expect after what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from math import exp, expm1

from trtdebug.search.facts import bits, digits

# Expected number of culprits, and how likely each number is when the whole is known to fail. Tuned by simulation
# (bench/search.py): one culprit must stay cheap, ten must not be hunted one by one.
SCALES = (0.01, 1.9, 8.0, 16.0, 32.0, 64.0)
BELIEF = (0.41, 0.555, 0.01, 0.01, 0.01, 0.005)
LONE_BELIEF = (0.88, 0.115, 0.002, 0.001, 0.001, 0.001)
"""For `LoneFacts`, where a group too big costs less: there is nothing to be proven in the end."""

FLOOR = 1e-3  # share of the belief that is spread evenly: a weight of 0 is an opinion, not a proof


class Rate:
    """Culprits fall on item i at the rate s * w[i], w the weights (sum 1), s unknown: one of `SCALES`.

    Args:
        weights: per rank, non-negative; all zero counts as flat.
        belief: how likely each of `SCALES` is before the first trial.
    """

    def __init__(self, weights: Sequence[float], belief: Sequence[float] = BELIEF) -> None:
        self.belief = belief
        total = sum(weights)
        even = 1 / max(1, len(weights))
        self.weights = [(1 - FLOOR) * w / total + FLOOR * even if total else even for w in weights]

    def mass(self, mask: int) -> float:
        return sum(compress(self.weights, digits(mask)))

    def scales(self, culprits: Iterable[int], cleared: int) -> list[float]:
        """How likely each of `SCALES` is (not normalised), given proven culprits (sets) and cleared items."""
        hits = [self.weights[bits(culprit)[0]] for culprit in culprits]  # items that interact count once
        quiet = self.mass(cleared)
        belief = []
        for scale, prior in zip(SCALES, self.belief, strict=True):
            value = prior / -expm1(-scale) * exp(-scale * quiet)
            for weight in hits:
                value *= -expm1(-scale * weight) * len(self.weights)  # n only keeps it from underflow
            belief.append(value)
        return belief

    def cut(self, ranks: Sequence[int], belief: Sequence[float], failing: bool) -> int:
        """How many of `ranks` (from the left) to test so that they pass with a chance nearest to 1/2.

        Args:
            failing: all of them together are known to fail (then never all of them are tested).

        Returns:
            1..len(ranks), or 1..len(ranks) - 1 when failing.
        """
        masses = list(accumulate(self.weights[rank] for rank in ranks))
        end = len(ranks) - failing
        floor = [exp(-scale * masses[-1]) if failing else 0.0 for scale in SCALES]
        sure = sum(b * (1 - f) for b, f in zip(belief, floor, strict=True))

        def surplus(count: int) -> float:
            chance = sum(
                b * (exp(-scale * masses[count - 1]) - f)
                for scale, b, f in zip(SCALES, belief, floor, strict=True)
            )
            return chance / sure - 0.5

        low, high = 1, end  # the last count with a chance of at least 1/2 lies here, or there is none
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if surplus(middle) >= 0 else (low, middle - 1)
        # Ties go to the smaller part: where it is one item, its failure is the proof as well.
        if low < end and surplus(low) - 1e-9 > -surplus(low + 1):
            return low + 1
        return low
