"""Search strategies of third parties: trials are not their time, and what they claim is tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trtdebug.core.outcome import Status
from trtdebug.plugins.contained import on_our_time
from trtdebug.plugins.types import Localisation, LocaliserTest


class LentTest:
    """The test as third parties ask it."""

    def __init__(self, test: LocaliserTest) -> None:
        self._test = test

    @property
    def told(self) -> Sequence[tuple[frozenset[str], Status]]:
        return tuple(self._test.told)

    @property
    def workers(self) -> int:
        return self._test.workers

    def __call__(self, low: frozenset[str], again: int = 0) -> Status:
        return self.many([low], [again])[0]

    def many(self, lows: Sequence[frozenset[str]], again: Sequence[int] | None = None) -> list[Status]:
        with on_our_time():
            return self._test.many([frozenset(low) for low in lows], again)


def tested(answer: object, name: str, nodes: Sequence[str], test: LocaliserTest) -> Localisation:
    """The answer of the strategy `name`, as far as it holds: sets that do not fail are no culprits.

    Raises:
        TypeError: it is no answer, or names what is no node that was in question.
    """
    if not isinstance(answer, Localisation):
        raise TypeError(f"{name} has to give a Localisation; it gives {type(answer).__name__}")
    if not isinstance(answer.note, str):
        raise TypeError(f"{name} has to give a note of text; it gives {type(answer.note).__name__}")
    answer = replace(answer, culprits=tuple(tuple(nodes) for nodes in answer.culprits))
    named = [*(n for nodes in answer.culprits for n in nodes), *(answer.protect or ()), *answer.unresolved]
    if strange := [n for n in named if n not in set(nodes)]:
        raise TypeError(f"{name} names {strange[0]!r}, which is no node in question")
    verdicts = test.many([frozenset(culprit) for culprit in answer.culprits])
    fail = tuple(c for c, v in zip(answer.culprits, verdicts, strict=True) if v == "fail")
    doubtful = [n for c, v in zip(answer.culprits, verdicts, strict=True) if v != "fail" for n in c]
    protect = answer.protect
    if protect is not None and test(frozenset(nodes) - frozenset(protect)) != "pass":
        protect = None
    note = answer.note
    if len(fail) < len(answer.culprits):
        note = f"{name} claims what trials do not show" + (f"; {note}" if note else "")
    return replace(
        answer,
        culprits=fail,
        protect=protect,
        exact=answer.exact and len(fail) == len(answer.culprits) and protect == answer.protect,
        unresolved=(*answer.unresolved, *dict.fromkeys(doubtful)),
        note=note,
    )
