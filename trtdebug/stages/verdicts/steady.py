"""Whether the reference agrees with itself: else nothing can be compared with it."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.finding import Finding
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import reference_again


def nondeterministic_reference(ctx: Context) -> Finding | None:
    """The recorded reference against itself, run again in a fresh process; None when both agree."""
    job = reference_again(ctx, "reference", {o: o for o in ctx.index.outputs})
    again = ctx.session.run(replace(job, repeat=1, fresh_process=True))
    if again.status != "fail":
        return None
    return Finding(
        "reference-nondeterministic",
        "error",
        f"two runs of the reference differ: {again.reason}",
        again.signature.outputs[0] if again.signature else None,
        "Give random operators a seed, or cut them out of the model.",
    )
