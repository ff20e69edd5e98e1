"""Observe: the error of every node by itself, fed with the reference's inputs, from as few builds as possible.

All nodes stand isolated in one model, every float node forced into low precision; of nodes that compute the same, one
stands there and is run for each. That names local precision faults at once; it can't see faults that need fusion,
nor drift that no single node causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trtdebug.backends.base import Tensor
from trtdebug.core.intervention import ForcePrecision
from trtdebug.core.outcome import TensorError
from trtdebug.graph.alike import Alike, alike
from trtdebug.graph.flat import flat
from trtdebug.graph.isolate import isolate
from trtdebug.oracle.verdict import rename
from trtdebug.session.job import Job, TensorRef, Turn
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.jobs import compared, with_model

_SMALLEST_BATCH = 8
_INLINE_RANK = 1


@dataclass(frozen=True)
class LocalError:
    """A node's worst output, computed by the candidate from the reference's inputs.

    Attributes:
        error: the comparison; its `tensor` is the ONNX tensor.
        kept: where the candidate's values are stored, when they break the tolerance.
        built: the node that was built, and run with this one's inputs, since both compute the same; empty: this one.
    """

    node: str
    error: TensorError
    kept: TensorRef | None
    built: str = ""


@dataclass(frozen=True)
class Observation:
    """Local errors by node; nodes that could not be observed, with the reason."""

    local: dict[str, LocalError]
    unobserved: dict[str, str]

    @property
    def suspects(self) -> tuple[LocalError, ...]:
        """Nodes that break the tolerance all by themselves."""
        return tuple(e for e in self.local.values() if e.error.status == "fail")


def observe(ctx: Context, nodes: Sequence[str] | None = None, foreseen_by: str | None = None) -> Observation:
    """Local errors of `nodes` (default: all whose precision matters).

    Args:
        foreseen_by: a backend that stands in for the candidate; what it says is no trial.
    """
    wanted = [n for n in (nodes if nodes is not None else ctx.items) if n not in ctx.skipped]
    ctx.report_progress(Progress("observe", f"{len(wanted)} nodes, each fed by the reference", len(wanted)))
    tensors = {t for n in wanted for t in (*ctx.index.node(n).inputs, *ctx.index.node(n).outputs) if t}
    produced = sorted(t for t in tensors if t in ctx.index.producer and t in ctx.types)
    ctx.reference(produced)
    local: dict[str, LocalError] = {}
    unobserved: dict[str, str] = {}
    batches = [wanted]
    while batches:
        batches = _observe_batches(ctx, batches, foreseen_by, local, unobserved)
    order = [n for n in wanted if n in local]
    return Observation({n: local[n] for n in order}, unobserved)


def _observe_batches(
    ctx: Context,
    batches: Sequence[list[str]],
    foreseen_by: str | None,
    local: dict[str, LocalError],
    unobserved: dict[str, str],
) -> list[list[str]]:
    """A build for each batch; returns the halves of those that can't be built."""
    asked: list[tuple[list[str], Alike, Job]] = []
    for number, nodes in enumerate(batches):
        isolated = isolate(ctx.model, ctx.types, nodes, constants=small_integers(ctx))
        unobserved.update(isolated.skipped)
        if isolated.outputs:
            shared = alike(isolated)
            asked.append((nodes, shared, _job(ctx, shared, foreseen_by, number)))
    halves: list[list[str]] = []
    outcomes = ctx.session.run_all([job for _, _, job in asked])
    for (nodes, shared, job), outcome in zip(asked, outcomes, strict=True):
        if outcome.status == "untestable" and not outcome.tensors:
            if len(nodes) > _SMALLEST_BATCH:
                middle = len(nodes) // 2
                halves += [nodes[:middle], nodes[middle:]]
            else:
                unobserved.update(dict.fromkeys(nodes, outcome.reason))
            continue
        told = outcome.engine.refused if outcome.engine else ()
        refused = {n for own in told for n in shared.stood_for(own)} & {*nodes}  # a Reshape of `flat` is none
        unobserved.update(dict.fromkeys(refused, "the engine computes it in another precision than asked"))
        errors = local_errors(shared, outcome.tensors, job)
        local.update((n, e) for n, e in errors.items() if n not in refused)
    return halves


def local_errors(shared: Alike, errors: Iterable[TensorError], job: Job) -> dict[str, LocalError]:
    """The worst error by node, of the errors of a job on isolated nodes; those of other tensors are left out."""
    local: dict[str, LocalError] = {}
    isolated = shared.isolated
    built = {other: own.name for own in isolated.model.graph.node for other in shared.stood_for(own.name)[1:]}
    alone = [e for e in errors if e.tensor in isolated.outputs]
    for kept_as, error in zip((e.tensor for e in alone), rename(alone, isolated.tensors), strict=True):
        node = isolated.outputs[kept_as][1]
        ref = TensorRef(kept_as, job.sha256) if error.status == "fail" else None
        other = local.get(node)
        if other is None or badness(error) > badness(other.error):
            local[node] = LocalError(node, error, ref, built.get(node, ""))
    return local


def badness(error: TensorError) -> tuple[bool, int, float]:
    """How far a tensor is off, for sorting."""
    return error.status == "fail", error.nonfinite, error.rms_rel


def turns_of(shared: Alike) -> tuple[Turn, ...]:
    """The turns, fed with the reference's tensors."""
    return tuple(
        Turn({name: TensorRef(tensor) for name, tensor in turn.feeds.items()}, turn.outputs)
        for turn in shared.turns
    )


def _job(ctx: Context, shared: Alike, foreseen_by: str | None, number: int) -> Job:
    isolated = shared.isolated
    plain = ctx.candidate_job("nodes isolated", (ForcePrecision(ctx.low),) if ctx.low else (), fast=True)
    job = replace(
        compared(ctx, plain, isolated.tensors),
        options=replace(ctx.case.options, profiles={}),
        feeds={name: TensorRef(tensor) for name, tensor in isolated.feeds.items()},
        turns=turns_of(shared),
        keep="failing",
        isolated=True,
    )
    job = with_model(ctx, job, flat(isolated.model), f"isolated-{number}.onnx")
    if foreseen_by is None:
        return job
    return replace(
        job,
        backend=foreseen_by,
        version=ctx.maker(foreseen_by),
        role="reference",
        fast=False,
        purpose="nodes isolated, foreseen",
    )


def small_integers(ctx: Context, tensors: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Recorded integers of rank 0 and 1 that are the same in all samples: shapes, indices, axes.

    Builders want them as constants.

    Args:
        tensors: those that are asked for; None = all that nodes write.
    """
    small = [
        t
        for t in (ctx.index.producer if tensors is None else tensors)
        if t in ctx.types
        and ctx.types[t].dtype.startswith(("int", "uint", "bool"))
        and (shape := ctx.types[t].shape) is not None
        and len(shape) <= _INLINE_RANK
    ]
    first, *others = (ctx.reference(small, sample) for sample in ctx.case.samples)
    return {t: v for t, v in first.items() if all(np.array_equal(v, other[t]) for other in others)}
