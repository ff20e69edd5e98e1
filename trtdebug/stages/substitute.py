"""Substitution: what if only this node were as the candidate computes it, and all else perfect?

The candidate's own values of one node (from the observation) are put into the reference in place of its own,
and the reference computes on from there. It says whether a local error matters at the outputs, and costs no
build.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from trtdebug.core.outcome import Outcome
from trtdebug.graph.extract import extract
from trtdebug.graph.load import content_sha256, save_model
from trtdebug.oracle.verdict import judge
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.observe import LocalError


def substitute(ctx: Context, suspect: LocalError) -> Outcome:
    """Outcome of the model with `suspect` as the candidate computes it and all else as the reference."""
    node = ctx.index.node(suspect.node)
    own = [o for o in ctx.index.outputs if o in node.outputs]
    downstream = ctx.index.descendants([suspect.node])
    if suspect.error.tensor in own or not downstream:
        return _direct(suspect, own)
    outputs = [o for o in ctx.index.outputs if ctx.index.producer.get(o) in downstream]
    if not outputs:
        return Outcome("pass")
    return ctx.session.run(_job(ctx, suspect, downstream, outputs))


def _direct(suspect: LocalError, own: list[str]) -> Outcome:
    """The suspect's wrong tensor is an output of the model itself, or nothing at all depends on it."""
    if suspect.error.tensor in own:
        status, signature, reason = judge([suspect.error])
        return Outcome(status, signature, reason, (suspect.error,))
    return Outcome("pass")


def _job(ctx: Context, suspect: LocalError, downstream: Collection[str], outputs: list[str]) -> Job:
    assert suspect.kept is not None
    model = extract(ctx.model, downstream, ctx.types, outputs)
    path = ctx.session.folder / "work" / "downstream.onnx"
    save_model(model, path)
    weights = {i.name for i in model.graph.initializer}
    feeds = {i.name: TensorRef(i.name) for i in model.graph.input if i.name not in weights}
    ctx.reference([n for n in feeds if n in ctx.index.producer])
    feeds[suspect.error.tensor] = suspect.kept
    job = ctx.reference_job(outputs)
    return replace(
        job,
        purpose=f"reference with {suspect.node} substituted",
        model=str(path),
        model_sha256=content_sha256(path),
        options=ctx.case.options.for_reference,
        feeds=feeds,
        expected={o: TensorRef(o) for o in outputs},
        keep="none",
        record=False,
    )
