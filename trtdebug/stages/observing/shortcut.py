"""The short way to the culprits: foreseen on the CPU, confirmed by one build of the candidate.

The emulator says which nodes break the case by themselves; that takes no build. Then one engine holds two things
that do not touch each other. The model with just these nodes pinned and all others in low precision: where that
passes, there is nothing else to find. And beside it each of these nodes alone, in low precision, fed by the
reference: its result, put into the reference, convicts it, or does not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from trtdebug.core.outcome import Outcome, Signature
from trtdebug.graph.alike import Alike, alike
from trtdebug.graph.flat import flat
from trtdebug.graph.isolate import beside, isolate
from trtdebug.oracle.verdict import judge
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.jobs import compared, with_model
from trtdebug.stages.observing.observe import Observation, local_errors, observe, small_integers, turns_of
from trtdebug.stages.observing.substitute_each import substitute_each

FORESEER = "emulator"


@dataclass(frozen=True)
class Shortcut:
    """Where the short way led.

    Attributes:
        observation: local errors of the foreseen nodes, as the candidate computes them.
        healthy: nodes with which in low precision, all others pinned, the case passes.
        signature: how the case fails when a convicted node alone is as the candidate computes it.
        reason: the same in words.
    """

    observation: Observation
    healthy: frozenset[str]
    signature: Signature
    reason: str


def foresee(ctx: Context) -> tuple[str, ...]:
    """Nodes that, by the emulator, make the case fail all by themselves; in topological order.

    Empty where there are none, where the emulator cannot tell, and where it is the candidate itself.
    """
    if ctx.candidate.deterministic or FORESEER not in ctx.plugins.backends():
        return ()
    ctx.report_progress(Progress("foresee", f"{len(ctx.items)} nodes on the emulator"))
    return tuple(_convicted(ctx, observe(ctx, foreseen_by=FORESEER)))


def shortcut(ctx: Context, foreseen: Collection[str]) -> Shortcut | None:
    """Confirms what was foreseen; None where that is not the whole story, or not the story at all."""
    healthy = frozenset(n for n in ctx.items if n not in foreseen)
    ctx.report_progress(
        Progress("observe", f"{len(foreseen)} nodes foreseen", len(healthy), len(ctx.items), 1)
    )
    isolated = isolate(ctx.model, ctx.types, foreseen, constants=small_integers(ctx))
    shared = alike(isolated)
    job = _job(ctx, shared, healthy)
    outcome = ctx.session.run(job)
    status, _, _ = judge([e for e in outcome.tensors if e.tensor in ctx.index.outputs])
    if status != "pass":
        return None
    observation = Observation(local_errors(shared, outcome.tensors, job), dict(isolated.skipped))
    convicted = _convicted(ctx, observation)
    if not convicted:
        return None
    first = next(iter(convicted.values()))
    assert first.signature is not None
    return Shortcut(observation, healthy, first.signature, first.reason)


def _convicted(ctx: Context, observation: Observation) -> dict[str, Outcome]:
    outcomes = substitute_each(ctx, observation.suspects)
    return {node: outcome for node, outcome in outcomes.items() if outcome.status == "fail"}


def _job(ctx: Context, shared: Alike, healthy: frozenset[str]) -> Job:
    isolated = shared.isolated
    fed = {*isolated.feeds.values(), *(t for turn in shared.turns for t in turn.feeds.values())}
    ctx.need_reference([t for t in ctx.index.producer if t in fed])
    ctx.need_reference(isolated.tensors.values())
    whole = ctx.low_job(healthy, fast=True)
    job = replace(
        compared(ctx, whole, {o: o for o in ctx.index.outputs} | isolated.tensors),
        purpose=f"{whole.purpose}, the others alone beside them",
        feeds=whole.feeds | {name: TensorRef(tensor) for name, tensor in isolated.feeds.items()},
        turns=turns_of(shared),
        keep="failing",
    )
    return with_model(ctx, job, beside(ctx.model, flat(isolated.model)), "beside.onnx")
