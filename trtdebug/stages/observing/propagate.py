"""Propagated errors: every tensor of the whole candidate against the reference's.

In one build, unless the user limits the memory (`Case.max_memory`) and the candidate's engines hold all of their
outputs at once: then in one build a batch of outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trtdebug.backends.base import BoundsMemory
from trtdebug.backends.batches import split
from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_mapped, load_skeleton
from trtdebug.graph.namesakes import Side, may_be_same
from trtdebug.graph.types import tensor_types
from trtdebug.oracle.verdict import judge, worst
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context, Progress

EVERY_TENSOR_MARKED = "every tensor marked"
"""Purpose of a trial that shows the errors of all tensors."""


@dataclass(frozen=True)
class Propagated:
    """Errors by tensor, in topological order.

    Attributes:
        outcome: of the build with everything marked, or of all such builds together; untestable when marking
            could not be built, of several builds when one of them could not.
        unmatched: the reference's tensors that the candidate's own model lacks. A tensor that differs counts as
            lacking where another one may have got its name there, as exporters number them.

    Tensors that cannot be outputs of the candidate's engine (`EngineInfo.unmarked` of the outcome) are in neither.
    """

    errors: dict[str, TensorError]
    outcome: Outcome
    unmatched: tuple[str, ...] = ()


def propagate(ctx: Context, interventions: Sequence[Intervention] = (), number: int = 0) -> Propagated:
    """Marks every tensor that both sides have and compares them all. `number`: each is another build."""
    wanted, unmatched = _common(ctx)
    ctx.report_progress(Progress("observe", f"{len(wanted)} tensors of the whole model"))
    ctx.need_reference(wanted)
    jobs = [
        ctx.candidate_job(EVERY_TENSOR_MARKED, interventions, outputs=batch, repeat=number)
        for batch in _batches(ctx, wanted)
    ]
    outcome = joined(ctx.session.run_all(jobs))
    others = _others(ctx, outcome)
    if others:
        outcome = _without(outcome, others)
        unmatched = tuple(t for t in ctx.index.tensors if t in {*unmatched, *others})
    by_name = {e.tensor: e for e in outcome.tensors}
    return Propagated({t: by_name[t] for t in ctx.index.tensors if t in by_name}, outcome, unmatched)


def first_failing(propagated: Propagated) -> TensorError | None:
    """The first wrong tensor in topological order: all inputs of its node that both sides have agree."""
    for error in propagated.errors.values():
        if error.status == "fail":
            return error
    return None


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of builds that differ only in what they give out."""
    if len(outcomes) == 1:
        return outcomes[0]
    errors = worst(error for outcome in outcomes for error in outcome.tensors)
    status, signature, reason = judge(errors)
    unseen = [o for o in outcomes if not o.tensors]
    if unseen:
        status, signature = "untestable", unseen[0].signature
        reason = (
            f"{len(unseen)} of {len(outcomes)} batches of tensors could not be observed: {unseen[0].reason}"
        )
    first = outcomes[0]
    unmarked = dict.fromkeys(t for o in outcomes if o.engine is not None for t in o.engine.unmarked)
    return replace(
        first,
        status=status,
        signature=signature,
        reason=reason,
        tensors=errors,
        engine=replace(first.engine, unmarked=tuple(unmarked)) if first.engine is not None else None,
        build_seconds=sum(o.build_seconds for o in outcomes),
        run_seconds=sum(o.run_seconds for o in outcomes),
    )


def _batches(ctx: Context, tensors: list[str]) -> list[list[str]]:
    if ctx.case.max_memory is None or isinstance(ctx.candidate, BoundsMemory) or not tensors:
        return [tensors]
    store, samples = ctx.session.tensors, ctx.case.samples
    sizes = [max(store.get(s, TensorRef(t)).nbytes for s in samples) for t in tensors]
    return split(tensors, sizes, ctx.case.max_memory)


def _common(ctx: Context) -> tuple[list[str], tuple[str, ...]]:
    tensors = [t for t in ctx.index.tensors if _comparable(ctx, t)]
    if ctx.case.candidate_model is None:
        return tensors, ()
    theirs = set(GraphIndex(load_skeleton(Path(ctx.case.candidate_model))).tensors)
    return [t for t in tensors if t in theirs], tuple(t for t in tensors if t not in theirs)


def _others(ctx: Context, outcome: Outcome) -> frozenset[str]:
    """Tensors that differ and may be others in the candidate's own model; the graph's outputs are what they are."""
    differing = {e.tensor for e in outcome.tensors if e.status == "fail"} - {*ctx.index.outputs}
    if ctx.case.candidate_model is None or not differing:
        return frozenset()
    model = load_mapped(Path(ctx.case.candidate_model))
    ours, theirs = Side(ctx.index, ctx.types), Side(GraphIndex(model), tensor_types(model))
    return frozenset(t for t in differing if not may_be_same(t, ours, theirs))


def _without(outcome: Outcome, tensors: frozenset[str]) -> Outcome:
    errors = tuple(e for e in outcome.tensors if e.tensor not in tensors)
    status, signature, reason = judge(errors)
    return replace(outcome, status=status, signature=signature, reason=reason, tensors=errors)


def _comparable(ctx: Context, tensor: str) -> bool:
    """Whether it is known to be a tensor of numbers or bools; not a string, a sequence or the like."""
    return tensor in ctx.types and ctx.types[tensor].dtype != "string"
