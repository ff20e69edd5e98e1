"""What the verdict is made of: each output of each build of the whole model, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.diagnosis import OutputVerdict
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.session.again import compared_again
from trtdebug.stages.context import Context
from trtdebug.stages.verdicts.sanity import AS_BUILT, FORCED, Sanity


def output_verdicts(ctx: Context, sane: Sanity) -> tuple[OutputVerdict, ...]:
    """In the order of builds, outputs, samples. Runs nothing: of several samples the stored outputs are read again."""
    builds = [(f"{AS_BUILT} {number}", outcome) for number, outcome in enumerate(sane.natural, start=1)]
    if sane.forced is not None:
        builds.append((FORCED, sane.forced))
    return tuple(verdict for build, outcome in builds for verdict in _of(ctx, build, outcome))


def _of(ctx: Context, build: str, outcome: Outcome) -> Iterator[OutputVerdict]:
    samples = ctx.case.samples
    errors = outcome.tensors or tuple(
        TensorError(name, "untestable", reason=outcome.reason) for name in ctx.index.outputs
    )
    for error in errors:
        if len(samples) == 1 or not outcome.tensors:
            yield from (OutputVerdict(build, sample, error) for sample in samples)
            continue
        job = ctx.candidate_job(build)
        again = compared_again(ctx.session.tensors, job, outcome.trial, error.tensor, job.limits)
        for sample, found in (again if again is not None else {"": error}).items():
            yield OutputVerdict(build, sample, found)
