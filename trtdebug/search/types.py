"""What a search is: it asks for tests of subsets, is told their verdicts, and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Verdict = Literal["pass", "fail", "untestable"]
"""Does the case fail when exactly the items of a subset are exposed and all others protected?"""

Subset = frozenset[int]
"""Items by number, 0..n-1."""


@dataclass(frozen=True)
class Answer:
    """What a search knows, at any time.

    Attributes:
        culprits: sets shown to fail while every smaller part of them passes; the likeliest items first.
        protect: with these items protected everything else passes together (that was tested).
        exact: the search has ended, every culprit is proven, and all outside their union passes together.
        unresolved: undecided items. A culprit that is not named has a member here, or shares one with a named
            culprit. Empty when exact.
        trials: verdicts told of subsets that the search had asked for.
        note: why the answer is not exact, or what else a reader should know; may be empty.
    """

    culprits: tuple[Subset, ...]
    protect: Subset
    exact: bool
    unresolved: Subset = frozenset()
    trials: int = 0
    note: str = ""


class Search(Protocol):
    """Ask/tell: the caller runs the tests, when, where and as many at once as it likes."""

    def ask(self) -> tuple[Subset, ...]:
        """The subsets worth testing now, the most useful first; at most `width`. Empty when it is done.

        Depends on nothing but what was told, so that a second call gives the same subsets. A subset whose
        verdict was told, or follows from what was told, is never asked for.
        """
        ...

    def tell(self, subset: Subset, verdict: Verdict) -> None:
        """Takes a verdict, also of a subset that was never asked for."""
        ...

    def result(self) -> Answer:
        """What is known so far."""
        ...
