"""The branch of tactics: done once in a run, where the candidate takes orders which tactics to use."""

from __future__ import annotations

from trtdebug.core.diagnosis import Fix
from trtdebug.debugger.fixing import fixes_of
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.types import Answer
from trtdebug.stages.tactics.culprits import can_choose, tactics
from trtdebug.stages.verdicts.sanity import Sanity

_NONE_FAILED = (
    "tactics were not searched: no build as you make it was seen to fail, and only an engine that fails shows "
    "which ones to try"
)


class ByTactics:
    """Searches for tactics that are to blame, when first asked.

    Attributes:
        undecided: what a search that found nothing to blame could not decide.
        unhelpful: fixes of tactics that were in doubt, and that do not hold.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._tried = False
        self.undecided: tuple[str, ...] = ()
        self.unhelpful: tuple[Fix, ...] = ()

    def answer(self, sane: Sanity) -> Answer | None:
        """The answer where tactics are to blame; None where they are not, or where banning them does not help."""
        notes, signature = self._notes, sane.signature
        if self._tried or signature is None or not can_choose(notes.ctx):
            return None
        self._tried = True
        if not sane.failing:
            notes.unknown.append(_NONE_FAILED)
            return None
        located = notes.attempt("tactics", lambda: tactics(notes.ctx, signature, sane.natural))
        if located is None or not located.bans:
            self.undecided = located.unknown if located is not None else ()
            return None
        fixes = fixes_of(notes, sane, signature, located)
        if fixes and not fixes[-1].verified:
            notes.unknown.append(f"tactics are in doubt, but banning them does not hold: {fixes[-1].reason}")
            self.unhelpful = fixes
            return None
        notes.unknown += located.unknown
        return Answer(sane, located, fixes)
