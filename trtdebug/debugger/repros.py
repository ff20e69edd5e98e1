"""The repro of an answer: of what is not built, else of the nodes that fail in low precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from trtdebug.core.diagnosis import ReproResult
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.types import Answer
from trtdebug.repro.of_build import export_unbuilt
from trtdebug.repro.of_case import export_repro
from trtdebug.stages.context import Progress
from trtdebug.stages.unbuilt.marked_piece import marked_piece
from trtdebug.stages.unbuilt.unbuildable import Unbuildable


def repro_of(notes: Notes, answer: Answer) -> ReproResult | None:
    """Exported and verified in a fresh process; None where nothing is proven that a repro could show."""
    ctx = notes.ctx
    unbuilt = _unbuilt(notes, answer)
    if unbuilt is not None:
        _say(notes)
        folder, command = ctx.session.folder / "repro", ctx.case.command
        return notes.attempt("repro", lambda: export_unbuilt(ctx, unbuilt(), folder, command, notes.versions))
    culprits = answer.located.culprits if answer.located else ()
    proven = [c for c in culprits if c.proven and c.kind == "precision"]
    if not proven or answer.sane.signature is None:
        return None
    _say(notes)
    return notes.attempt("repro", lambda: export_repro(ctx, proven, ctx.case.command, notes.versions))


def _unbuilt(notes: Notes, answer: Answer) -> Callable[[], Unbuildable] | None:
    """What finds a piece that is not built, alone or with marks; None where nothing is known not to be built."""
    for piece in answer.unbuilt:
        if piece.proven:
            return lambda: piece
    for culprit in answer.located.culprits if answer.located else ():
        if culprit.tensors and culprit.error is not None:
            return partial(marked_piece, notes.ctx, culprit.tensors, culprit.error)
    return None


def _say(notes: Notes) -> None:
    notes.ctx.report_progress(Progress("repro", "exporting and re-verifying in a fresh process"))
