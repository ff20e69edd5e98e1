"""Refused: what a candidate that does not build the model says, of which nodes, and of which alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtdebug.backends.base import stands_in
from trtdebug.core.build_error import BuildError
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Context
from trtdebug.stages.unbuilt.failing_marks import failing_marks
from trtdebug.stages.unbuilt.piece_builds import PieceBuilds, build_errors
from trtdebug.stages.unbuilt.unbuildable import Hunt, Unbuildable


@dataclass(frozen=True)
class Refused:
    """Why the candidate does not build the model.

    Attributes:
        reason: in one line, with the first node at fault where one is known.
        pieces: the smallest pieces that are not built, as models.
        of_the_model: False where the candidate builds no model at all.
    """

    reason: str
    culprits: tuple[Culprit, ...] = ()
    pieces: tuple[Unbuildable, ...] = ()
    unknown: tuple[str, ...] = ()
    of_the_model: bool = True


def why_refused(ctx: Context, natural: Sequence[Outcome]) -> tuple[BuildError, ...]:
    """What the candidate says of a model that it does not build; empty where it builds it, or that is not known.

    Empty, too, where it is no builder: what it can't do tells nothing of the model (see `StandsIn`).

    Args:
        natural: builds as the user makes them; where a worker broke, the build alone is tried again.
    """
    if stands_in(ctx.candidate) or ctx.candidate_is_engine or any(o.status != "untestable" for o in natural):
        return ()
    told = next((errors for o in natural if o.build_errors and (errors := build_errors(o))), ())
    if told:
        return told
    broken = [o.signature.kind for o in natural if o.signature is not None]
    if natural and not {"crash", "timeout"} & set(broken):
        return ()
    return build_errors(PieceBuilds(ctx).whole())


def refused(ctx: Context, errors: Sequence[BuildError]) -> Refused:
    """Finds out which part is not built: of the user's marks, where it is built without them, else of the model."""
    first = f"the candidate cannot build this model: {errors[0]}"
    if ctx.case.options.marks:
        marks = failing_marks(ctx, errors)
        if marks is not None:
            reason = f"the candidate cannot build this model with these marks: {errors[0]}"
            return Refused(reason, marks.culprits, (), marks.unknown)
    hunt = Hunt(PieceBuilds(ctx))
    hunt.run(errors)
    pieces = tuple(hunt.found)
    culprits = tuple(_culprit(piece) for piece in pieces)
    if pieces and pieces[0].proven:
        first = f"the candidate cannot build this model: {_told(pieces[0])}"
    return Refused(first, culprits, pieces, tuple(hunt.unknown), hunt.built)


def _culprit(piece: Unbuildable) -> Culprit:
    alone = "alone" if len(piece.nodes) == 1 else "these nodes together, and no fewer of them"
    needs = f" (with {', '.join(piece.needs)}, which it needs)" if piece.needs else ""
    if not piece.proven:
        evidence = f"the fault lies among these nodes: {piece.error}"
    elif piece.inside and piece.nodes[0] not in {n.name for n in piece.piece.graph.node}:
        evidence = f"{piece.inside[-1]}, alone, is not built, and this is what it says: {_said(piece)}"
    else:
        evidence = f"{alone}{needs} not built: {_said(piece)}"
    return Culprit(piece.nodes, "build", evidence, piece.proven, piece.inside, piece.error, piece.needs)


def _told(piece: Unbuildable) -> str:
    names = " + ".join(map(repr, piece.nodes))
    within = "".join(f" in {name!r}" for name in reversed(piece.inside))
    plural = "nodes" if len(piece.nodes) > 1 else "node"
    op = piece.error.operator if piece.error.node in piece.nodes else ""
    return f"{plural} {names}{within}{f' ({op})' if op else ''}: {_said(piece)}"


def _said(piece: Unbuildable) -> str:
    """The builder's message holds its code."""
    code = piece.error.code if piece.error.kind == "parse" else ""
    return ": ".join(text for text in (code, piece.error.message) if text)
