"""A test of subsets with planted faults, which tells a search the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from trtdebug.search.types import Subset, Verdict


class Planted:
    """Fails when all items of one of the culprits are exposed.

    Args:
        culprits: the failing sets; those that hold another one are dropped.
        untestable: share of the subsets that can't be tested, 0..1; the seed and the subset decide which. The
            empty subset always can.
        seed: any number.

    Attributes:
        culprits: the smallest failing sets.
        asked: every subset tested so far, in order.
    """

    def __init__(self, culprits: Iterable[Iterable[int]], untestable: float = 0.0, seed: int = 0) -> None:
        sets = {frozenset(culprit) for culprit in culprits}
        self.culprits = frozenset(a for a in sets if not any(b < a for b in sets))
        self.untestable = untestable
        self.seed = seed
        self.asked: list[Subset] = []

    def __call__(self, subset: Subset) -> Verdict:
        """The verdict; counted."""
        self.asked.append(subset)
        if subset and self.untestable and self._chance(subset) < self.untestable:
            return "untestable"
        return self.truth(subset)

    def truth(self, subset: Subset) -> Verdict:
        """Pass or fail, as if every subset could be tested; not counted."""
        return "fail" if any(culprit <= subset for culprit in self.culprits) else "pass"

    def _chance(self, subset: Subset) -> float:
        text = f"{self.seed}:{sorted(subset)}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64
