"""The model cut off behind one of its tensors: what is computed up to there, with nothing behind it to fuse with."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.graph.extract import extract
from trtdebug.graph.types import value_info
from trtdebug.session.job import Job
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import compared, with_model


def cut_off(ctx: Context, tensor: str, number: int = 0) -> Job:
    """A trial of the model up to a tensor, its only output.

    Args:
        number: its place among those that are made at once: each has a file of its own, of the same name.
    """
    index = ctx.index
    node = index.producer[tensor]
    ctx.need_reference([tensor])
    model = extract(ctx.model, [*index.ancestors([node]), node], ctx.types, [tensor])
    del model.graph.output[:]
    model.graph.output.append(value_info(tensor, ctx.types[tensor]))
    whole = ctx.candidate_job(f"the model up to {tensor}")
    read = {i.name for i in model.graph.input}
    job = replace(whole, feeds={n: ref for n, ref in whole.feeds.items() if n in read})
    place = f"ahead{number}/cut-off.onnx" if number else "cut-off.onnx"
    return with_model(ctx, compared(ctx, job, {tensor: tensor}), model, place)
