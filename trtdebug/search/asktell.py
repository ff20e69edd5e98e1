"""The ask/tell frame that the searches share: items and ranks, what is known, looking ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Generic, Protocol, TypeVar, get_args

from trtdebug.core.errors import UserError
from trtdebug.search.facts import below, digits
from trtdebug.search.types import Answer, Subset, Verdict

_LOOKAHEAD = 4
"""So many situations are looked at for each subset that there is room for."""


class Knowledge(Protocol):
    """What a search keeps of the verdicts it was told; sets are bit masks over ranks."""

    def assume(self: K, mask: int, verdict: Verdict) -> K:
        """The same and one verdict more; leaves itself as it is."""
        ...


K = TypeVar("K", bound=Knowledge)


class AskTell(ABC, Generic[K]):
    """A search whose next question is a function of what is known alone.

    That makes it deterministic and resumable, and lets it look ahead: with `width` > 1 it also asks what it
    would ask after either verdict.

    Args:
        n: number of items.
        order: the items from rank 0 on, a permutation of 0..n-1.
        known: nothing yet.
        width: how many subsets `ask` may give at once.
        max_trials: ask for no more than this many; None = no limit.

    Attributes:
        trials: verdicts told of subsets that were asked for.
    """

    def __init__(
        self,
        n: int,
        order: Sequence[int],
        known: K,
        width: int,
        max_trials: int | None,
    ) -> None:
        if n < 0 or width < 1 or (max_trials is not None and max_trials < 0):
            raise UserError(
                f"search: n={n}, width={width}, max_trials={max_trials}.",
                "Give n >= 0, width >= 1, max_trials >= 0.",
            )
        self.n = n
        self.everything = below(n)
        self.width = width
        self.max_trials = max_trials
        self.known = known
        self.trials = 0
        self._order = tuple(order)
        self._rank = {item: rank for rank, item in enumerate(order)}
        self._asked: set[int] = set()

    @abstractmethod
    def question(self, known: K) -> int | None:
        """The next set to test, None when done."""

    @abstractmethod
    def result(self) -> Answer:
        """What is known so far."""

    def batch(self, known: K, room: int) -> Iterator[int]:
        """Sets to test at once when there is `room` for more than one; the others come from looking ahead."""
        return iter(())

    def ask(self) -> tuple[Subset, ...]:
        """See `Search.ask`."""
        room = self.width if self.max_trials is None else min(self.width, self.max_trials - self.trials)
        questions = dict.fromkeys(self.batch(self.known, room) if room > 1 else ())
        ahead, looks = deque([self.known]), _LOOKAHEAD * room
        while ahead and len(questions) < room and looks:
            known, looks = ahead.popleft(), looks - 1
            question = self.question(known)
            if question is None:
                continue
            questions[question] = None
            if len(questions) < room:
                ahead.extend((known.assume(question, "pass"), known.assume(question, "fail")))
        chosen = list(questions)[: max(0, room)]
        self._asked.update(chosen)
        return tuple(self.subset(question) for question in chosen)

    def tell(self, subset: Subset, verdict: Verdict) -> None:
        """See `Search.tell`. Raises `UserError` for an item or a verdict that doesn't exist."""
        unknown = sorted(item for item in subset if item not in self._rank)
        if unknown:
            raise UserError(f"search: items {unknown} don't exist.", f"Items are 0..{self.n - 1}.")
        if verdict not in get_args(Verdict):
            raise UserError(
                f"search: unknown verdict {verdict!r}.", f"It is one of {', '.join(get_args(Verdict))}."
            )
        mask = self.mask(subset)
        self.trials += mask in self._asked
        self._asked.discard(mask)
        self.known = self.known.assume(mask, verdict)

    def mask(self, subset: Subset) -> int:
        """From items to ranks."""
        text = bytearray(b"0") * (self.n + 1)
        for item in subset:
            text[-1 - self._rank[item]] = 49  # "1"
        return int(text, 2)

    def subset(self, mask: int) -> Subset:
        """From ranks to items."""
        return frozenset(compress(self._order, digits(mask)))
