"""Substitution: what if only this node were as the candidate computes it, and all else perfect?

The candidate's own values of one node (from the observation) are put into the reference in place of its own,
and the reference computes on from there. It says whether a local error matters at the outputs, and costs no
build.
"""

from __future__ import annotations

from dataclasses import replace

import onnx

from trtdebug.core.outcome import Outcome
from trtdebug.graph.extract import extract
from trtdebug.graph.walk import fed_inputs
from trtdebug.oracle.verdict import judge
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import reference_again, with_model
from trtdebug.stages.observing.observe import LocalError


def substitute(ctx: Context, suspect: LocalError) -> Outcome:
    """Outcome of the model with `suspect` as the candidate computes it and all else as the reference."""
    if suspect.error.tensor in ctx.index.outputs:
        status, signature, reason = judge([suspect.error])
        return Outcome(status, signature, reason, (suspect.error,))
    outputs = reached(ctx, suspect)
    return ctx.session.run(_job(ctx, suspect, outputs)) if outputs else Outcome("pass")


def reached(ctx: Context, suspect: LocalError) -> list[str]:
    """Outputs of the model that nodes behind the suspect write."""
    downstream = ctx.index.descendants([suspect.node])
    return [o for o in ctx.index.outputs if ctx.index.producer.get(o) in downstream]


def recorded_feeds(ctx: Context, part: onnx.ModelProto) -> dict[str, TensorRef]:
    """What the reference feeds to a part of the model, by input; recorded where it is not yet."""
    feeds = {i.name: TensorRef(i.name) for i in fed_inputs(part.graph)}
    ctx.need_reference([n for n in feeds if n in ctx.index.producer])
    return feeds


def _job(ctx: Context, suspect: LocalError, outputs: list[str]) -> Job:
    assert suspect.kept is not None
    downstream = ctx.index.descendants([suspect.node])
    model = extract(ctx.model, downstream, ctx.types, outputs, index=ctx.index)
    again = reference_again(ctx, f"reference with {suspect.node} substituted", {o: o for o in outputs})
    job = replace(again, feeds=recorded_feeds(ctx, model) | {suspect.error.tensor: suspect.kept})
    return with_model(ctx, job, model, "downstream.onnx")
