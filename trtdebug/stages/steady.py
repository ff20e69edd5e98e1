"""Whether the reference agrees with itself: else nothing can be compared with it."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.finding import Finding
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context


def nondeterministic_reference(ctx: Context) -> Finding | None:
    """The recorded reference against itself, run again in a fresh process; None when both agree."""
    outputs = {o: TensorRef(o) for o in ctx.index.outputs}
    job = replace(
        ctx.reference_job(repeat=1), record=False, keep="none", expected=outputs, fresh_process=True
    )
    again = ctx.session.run(job)
    if again.status != "fail":
        return None
    return Finding(
        "reference-nondeterministic",
        "error",
        f"two runs of the reference differ: {again.reason}",
        again.signature.outputs[0] if again.signature else None,
        "Give random operators a seed, or cut them out of the model.",
    )
