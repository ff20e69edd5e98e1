"""The branch of tactics: done once in a run, where the candidate takes orders which tactics to use."""

from __future__ import annotations

from trtdebug.debugger.fixing import fixes_of
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.types import Answer
from trtdebug.stages.sanity import Sanity
from trtdebug.stages.tactics import can_choose, tactics


class ByTactics:
    """Searches for tactics that are to blame, when first asked.

    Attributes:
        undecided: what a search that found nothing to blame could not decide.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._tried = False
        self.undecided: tuple[str, ...] = ()

    def answer(self, sane: Sanity) -> Answer | None:
        """The answer where tactics are to blame; None where they are not, or where banning them does not help."""
        notes, signature = self._notes, sane.signature
        if self._tried or not sane.failing or signature is None or not can_choose(notes.ctx):
            return None
        self._tried = True
        located = notes.attempt("tactics", lambda: tactics(notes.ctx, signature, sane.natural))
        if located is None or not located.bans:
            self.undecided = located.unknown if located is not None else ()
            return None
        fixes = fixes_of(notes, sane, signature, located)
        if fixes and not fixes[-1].verified:
            notes.unknown.append(f"tactics are in doubt, but banning them does not hold: {fixes[-1].reason}")
            return None
        notes.unknown += located.unknown
        return Answer(sane, located, fixes)
