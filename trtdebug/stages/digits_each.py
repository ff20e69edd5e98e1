"""What lost digits make at many nodes, one by one: all of them computed at once, then substituted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import LowPrecision
from trtdebug.core.outcome import Outcome
from trtdebug.graph.isolate import Isolated, isolate
from trtdebug.graph.load import content_sha256, save_model
from trtdebug.graph.rounding import round_nodes
from trtdebug.oracle.verdict import rename
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.observe import LocalError
from trtdebug.stages.substitute_each import substitute_each


def digits_lost_each(ctx: Context, nodes: Sequence[str], low: LowPrecision) -> dict[str, Outcome]:
    """By node: what `digits_lost` says of it alone. Without nodes that have several outputs, or cannot stand alone."""
    isolated = isolate(ctx.model, ctx.types, [n for n in nodes if len(ctx.index.node(n).writes) == 1])
    names = {new: tensor for new, (tensor, _) in isolated.outputs.items()}
    job = _job(ctx, isolated, names, low) if len(names) > 1 else None
    if job is None:
        return {}
    rounded = ctx.session.run(job).tensors
    errors = zip((e.tensor for e in rounded), rename(rounded, names), strict=True)
    moved = [LocalError(isolated.outputs[new][1], error, TensorRef(new, job.sha256)) for new, error in errors]
    return substitute_each(ctx, moved)


def _job(ctx: Context, isolated: Isolated, names: dict[str, str], low: LowPrecision) -> Job | None:
    """The isolated nodes, each rounding what it reads and writes to the digits of `low`; None where it cannot be."""
    try:
        model = round_nodes(isolated.model, [n.name for n in isolated.model.graph.node], low, any_size=True)
    except BuildFailure:
        return None
    path = ctx.session.folder / "work" / "digits-alone.onnx"
    save_model(model, path)
    feeds = {name: TensorRef(tensor) for name, tensor in isolated.feeds.items()}
    compared = {*isolated.feeds.values(), *names.values()}
    ctx.need_reference([t for t in ctx.index.producer if t in compared])
    return replace(
        ctx.reference_job(isolated.outputs),
        purpose=f"{len(names)} nodes, each by itself, that lose digits only",
        model=str(path),
        model_sha256=content_sha256(path),
        feeds=feeds,
        expected={new: TensorRef(tensor) for new, tensor in names.items()},
        limits=ctx.limits.renamed(names),
        record=False,
    )
