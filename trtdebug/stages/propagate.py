"""Propagated errors: every tensor of the whole candidate against the reference's, in one build where that works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.stages.context import Context, Progress


@dataclass(frozen=True)
class Propagated:
    """Errors by tensor, in topological order.

    Attributes:
        outcome: of the build with everything marked; untestable when marking could not be built.
        unmatched: tensors that only the reference has.
    """

    errors: dict[str, TensorError]
    outcome: Outcome
    unmatched: tuple[str, ...] = ()


def propagate(ctx: Context, interventions: Sequence[Intervention] = (), *, fast: bool = False) -> Propagated:
    """Marks every tensor that both sides have and compares them all."""
    wanted, unmatched = _common(ctx)
    ctx.report_progress(Progress("observe", f"{len(wanted)} tensors of the whole model"))
    ctx.reference(wanted)
    job = ctx.candidate_job("every tensor marked", interventions, outputs=wanted, fast=fast)
    outcome = ctx.session.run(job)
    by_name = {e.tensor: e for e in outcome.tensors}
    return Propagated({t: by_name[t] for t in ctx.index.tensors if t in by_name}, outcome, unmatched)


def first_failing(propagated: Propagated) -> TensorError | None:
    """The first wrong tensor in topological order: all inputs of its node that both sides have agree."""
    for error in propagated.errors.values():
        if error.status == "fail":
            return error
    return None


def _common(ctx: Context) -> tuple[list[str], tuple[str, ...]]:
    tensors = [t for t in ctx.index.tensors if _comparable(ctx, t)]
    if ctx.case.candidate_model is None:
        return tensors, ()
    theirs = set(GraphIndex(load_model(Path(ctx.case.candidate_model))).tensors)
    return [t for t in tensors if t in theirs], tuple(t for t in tensors if t not in theirs)


def _comparable(ctx: Context, tensor: str) -> bool:
    """Whether it is known to be a tensor of numbers or bools; not a string, a sequence or the like."""
    return tensor in ctx.types and ctx.types[tensor].dtype != "string"
