"""Marks of the user's that made no output: what the builds with them show is the model without them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome
from trtdebug.core.words import NAMED, listed


def unmade_marks(marks: Iterable[str], natural: Sequence[Outcome]) -> tuple[Finding, ...]:
    """`mark-not-made` where the engines have no output for some of these marks.

    Args:
        natural: builds as the user makes them.
    """
    lacking = {t for o in natural if o.engine is not None for t in o.engine.unmarked}
    unmade = [mark for mark in marks if mark in lacking]
    if not unmade:
        return ()
    return (
        Finding(
            "mark-not-made",
            "warning",
            f"{listed(unmade, NAMED)} cannot be an output of the candidate's engine: it was built as if not marked",
            mitigation="A shape, or a constant that the builder folds, is no output. Mark what reads it.",
        ),
    )
