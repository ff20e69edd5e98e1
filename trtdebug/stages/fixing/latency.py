"""Latency: with a fix, without it and in FP32, measured in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trtdebug.backends.base import KeepsEngines
from trtdebug.core.diagnosis import Latency
from trtdebug.core.outcome import Outcome
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress

_ROUNDS = 50


def latencies(
    ctx: Context, natural: Sequence[Outcome], fixed: Sequence[Outcome]
) -> tuple[Latency | None, ...]:
    """The latencies of fixes, in order; all None where the candidate's engines cannot be kept, or say nothing.

    Takes one build, in FP32, and none where the user builds so.

    Args:
        natural: builds as the user does it; the first one's engine was kept.
        fixed: builds with a fix each, whose engines were kept.
    """
    if not _is_timed(ctx):
        return (None,) * len(fixed)
    as_built = natural[0].trial if natural else ""
    fp32 = as_built
    for job in in_fp32(ctx):
        ctx.report_progress(Progress("fix", job.purpose))
        fp32 = ctx.session.run(job).trial
    trials = tuple(t for t in dict.fromkeys((as_built, fp32, *(o.trial for o in fixed))) if t)
    ctx.report_progress(Progress("fix", f"latencies of {len(trials)} engines"))
    job = ctx.candidate_job("latencies")
    outcome = ctx.session.run(replace(job, role="timing", expected=None, timed=trials, time_runs=_ROUNDS))
    known = dict(zip(trials, outcome.latencies_ms, strict=False))  # none at all where the worker died
    return tuple(Latency(known.get(as_built), known.get(o.trial), known.get(fp32)) for o in fixed)


def in_fp32(ctx: Context) -> tuple[Job, ...]:
    """What latencies take a build of their own for: the user's options, but all in FP32. None where he builds so."""
    if not _is_timed(ctx) or ctx.case.options.precision == "fp32":
        return ()
    job = ctx.candidate_job("all in FP32, for its latency", ctx.as_built(), keep_engine=True)
    return (replace(job, options=replace(ctx.case.options, precision="fp32", calibration_cache=None)),)


def _is_timed(ctx: Context) -> bool:
    """What an emulated engine takes says nothing of a real one."""
    return not ctx.candidate.deterministic and isinstance(ctx.candidate, KeepsEngines)
