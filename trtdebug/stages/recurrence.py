"""Recurrence: how often builds of one request fail, and how many have to pass before that is no matter of luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import Outcome

MOST = 8
"""Builds that are asked to pass, at most."""
_BY_CHANCE = 0.05


@dataclass(frozen=True)
class Recurrence:
    """How many builds of one request failed, of those that could be tested. Of none it is taken that all do."""

    failed: int = 0
    tested: int = 0

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Recurrence:
        tested = [o for o in outcomes if o.status != "untestable"]
        return cls(sum(o.status == "fail" for o in tested), len(tested))

    @property
    def always(self) -> bool:
        return self.failed == self.tested

    @property
    def builds(self) -> int:
        """How many have to pass in a row: so many do by chance in 1 of 20 cases, if they are not more than `MOST`."""
        return self._unlikely if self.enough else MOST

    @property
    def enough(self) -> bool:
        """Whether so many do not pass by chance."""
        return self.always or (self.failed > 0 and self._unlikely <= MOST)

    @property
    def _unlikely(self) -> int:
        if self.always:
            return 1
        return math.ceil(math.log(_BY_CHANCE) / math.log(1 - self.failed / self.tested))
