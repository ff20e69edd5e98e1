"""Jobs made of others: of another model, of tensors under other names, and of the reference once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx

from trtdebug.graph.load import content_sha256, save_model
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context


def with_model(ctx: Context, job: Job, model: onnx.ModelProto, name: str) -> Job:
    """The job with this model, which is written to the file `name` in the session's work/ folder."""
    path = ctx.session.folder / "work" / name
    save_model(model, path)
    return replace(job, model=str(path), model_sha256=content_sha256(path))


def compared(ctx: Context, job: Job, tensors: Mapping[str, str]) -> Job:
    """The job with these outputs compared, and no others: output -> tensor of the case's model that it should be.

    By the limits of that tensor; indices by what they were chosen from.
    """
    return replace(
        job,
        expected={output: TensorRef(tensor) for output, tensor in tensors.items()},
        choices={output: ctx.choices[tensor] for output, tensor in tensors.items() if tensor in ctx.choices},
        limits=ctx.limits.renamed(tensors),
    )


def reference_again(ctx: Context, purpose: str, tensors: Mapping[str, str]) -> Job:
    """A run of the reference compared with what it recorded, see `compared`. Its own outputs are not kept."""
    job = replace(ctx.reference_job(tensors), purpose=purpose, keep="none", record=False)
    return compared(ctx, job, tensors)
