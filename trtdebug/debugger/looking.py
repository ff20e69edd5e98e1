"""Looks into the whole candidate: all of its tensors, where marking them may change what they show."""

from __future__ import annotations

from collections.abc import Sequence

from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import Outcome
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.one_sided import one_sided_outputs
from trtdebug.stages.observing.propagate import Propagated, first_failing, propagate
from trtdebug.stages.repeated import FEWEST, enough


def failing_tensors(
    notes: Notes, interventions: Sequence[Intervention], seen: Sequence[Outcome]
) -> Propagated | None:
    """All tensors of a build that fails; says so where marking them cures it.

    That a tensor is compared which is no output of one of two models is no cure, nor is one build that passes where
    builds differ.

    Args:
        seen: builds without marks that tell how often one fails.
    """
    builds = 1 if notes.ctx.candidate.deterministic else enough(seen, FEWEST)
    for number in range(builds):
        propagated = _propagated(notes, interventions, number)
        if propagated is None:
            return None
        outputs = [e for e in propagated.outcome.tensors if e.tensor in notes.ctx.index.outputs]
        if not outputs or any(e.status != "pass" for e in outputs):
            return propagated
    if not one_sided_outputs(notes.ctx):
        notes.unknown.append("with every tensor marked as an output the failure is gone (fusion matters)")
    return propagated


def look_inside(notes: Notes) -> None:
    """Two models whose outputs agree may differ inside: a clamp or an ArgMax hides it."""
    propagated = _propagated(notes, (), 0)
    error = first_failing(propagated) if propagated else None
    if error is not None:
        notes.findings += (
            Finding(
                "intermediate-differs",
                "warning",
                f"the outputs agree, but {error.tensor} does not: {error.reason}",
                notes.ctx.index.producer.get(error.tensor),
                "Other inputs may show it at the outputs; `trtdebug compare` lists every tensor.",
            ),
        )


def _propagated(notes: Notes, interventions: Sequence[Intervention], number: int) -> Propagated | None:
    propagated = notes.attempt("observe", lambda: propagate(notes.ctx, interventions, number))
    if propagated is None:
        return None
    if propagated.outcome.status == "untestable":
        notes.unknown.append(f"not every tensor could be observed: {propagated.outcome.reason}")
        return None
    return propagated
