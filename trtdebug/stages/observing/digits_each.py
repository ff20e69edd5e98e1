"""What lost digits make at many nodes, one by one: all of them computed at once, then substituted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import LowPrecision
from trtdebug.core.outcome import Outcome
from trtdebug.graph.isolate import Isolated, isolate
from trtdebug.graph.rounding import round_nodes
from trtdebug.oracle.verdict import rename
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import reference_again, with_model
from trtdebug.stages.observing.observe import LocalError
from trtdebug.stages.observing.substitute_each import substitute_each


def digits_lost_each(ctx: Context, nodes: Sequence[str], low: LowPrecision) -> dict[str, Outcome]:
    """By node: what `digits_lost` says of it alone. Without nodes that have several outputs, or cannot stand alone."""
    isolated = isolate(ctx.model, ctx.types, [n for n in nodes if len(ctx.index.node(n).writes) == 1])
    names = isolated.tensors
    job = _job(ctx, isolated, low) if len(names) > 1 else None
    if job is None:
        return {}
    rounded = ctx.session.run(job).tensors
    errors = zip((e.tensor for e in rounded), rename(rounded, names), strict=True)
    moved = [LocalError(isolated.outputs[new][1], error, TensorRef(new, job.sha256)) for new, error in errors]
    return substitute_each(ctx, moved)


def _job(ctx: Context, isolated: Isolated, low: LowPrecision) -> Job | None:
    """The isolated nodes, each rounding what it reads and writes to the digits of `low`; None where it cannot be."""
    try:
        model = round_nodes(isolated.model, [n.name for n in isolated.model.graph.node], low, any_size=True)
    except BuildFailure:
        return None
    feeds, tensors = isolated.feeds, isolated.tensors
    needed = {*feeds.values(), *tensors.values()}
    ctx.need_reference([t for t in ctx.index.producer if t in needed])
    again = reference_again(ctx, f"{len(tensors)} nodes, each by itself, that lose digits only", tensors)
    job = replace(again, feeds={name: TensorRef(t) for name, t in feeds.items()}, keep="all")
    return with_model(ctx, job, model, "digits-alone.onnx")
