"""Sanity: what fails, how surely, and whether low precision is to blame. Before any search."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trtdebug.core.diagnosis import Verdict
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context, Progress

_LATENCY_RUNS = 20


@dataclass(frozen=True)
class Sanity:
    """What the first builds say.

    Attributes:
        natural: the candidate built as the user does, `case.builds` times.
        forced: every float node in low precision; None where there is no low precision.
        pinned: the same build with every node pinned to FP32; None when it was not needed.
        fast: the failure also shows with the cheap settings for searching.
    """

    verdict: Verdict
    signature: Signature | None
    reason: str
    natural: tuple[Outcome, ...]
    forced: Outcome | None = None
    pinned: Outcome | None = None
    fast: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def searchable(self) -> bool:
        """Low precision alone makes the failure: forced fails, everything pinned passes."""
        return (
            self.forced is not None
            and self.forced.status == "fail"
            and self.pinned is not None
            and self.pinned.status == "pass"
        )


def sanity(ctx: Context) -> Sanity:
    """Reference twice, candidate n times as the user builds it, once forced, once all pinned."""
    ctx.report_progress(Progress("sanity", "reference"))
    ctx.record()
    unsteady = _nondeterministic_reference(ctx)
    if unsteady is not None:
        return Sanity("untestable", None, unsteady.message, (), findings=(unsteady,))
    natural = tuple(_natural(ctx, i) for i in range(ctx.case.builds))
    forced, fast = _forced(ctx)
    verdict, signature, reason = _verdict(natural, forced)
    pinned = None
    if forced is not None and forced.status == "fail" and verdict in ("diverges", "fragile"):
        ctx.report_progress(Progress("sanity", "everything pinned to FP32"))
        pinned = ctx.session.run(ctx.candidate_job("all pinned", ctx.exposing(()), fast=fast))
    return Sanity(verdict, signature, reason, natural, forced, pinned, fast)


def _natural(ctx: Context, number: int) -> Outcome:
    ctx.report_progress(Progress("sanity", f"build {number + 1} of {ctx.case.builds} as you build it"))
    runs = _LATENCY_RUNS if number == 0 else 0
    return ctx.session.run(ctx.candidate_job("as built", repeat=number, time_runs=runs))


def _forced(ctx: Context) -> tuple[Outcome | None, bool]:
    """The forced build, with the cheap settings first: enough when it fails there."""
    of_two_models = ctx.case.candidate_model is not None  # its nodes are not the reference's: nothing to pin
    if ctx.low is None or of_two_models or "ForcePrecision" not in ctx.candidate.realises:
        return None, False
    ctx.report_progress(Progress("sanity", f"every node forced to {ctx.low.upper()}"))
    interventions = ctx.exposing(ctx.items)
    if ctx.candidate.deterministic:
        return ctx.session.run(ctx.candidate_job("forced", interventions)), False
    cheap = ctx.session.run(ctx.candidate_job("forced", interventions, fast=True))
    if cheap.status == "fail":
        return cheap, True
    own = ctx.session.run(ctx.candidate_job("forced", interventions))
    return (own, False) if own.status != "untestable" else (cheap, True)


def _verdict(natural: tuple[Outcome, ...], forced: Outcome | None) -> tuple[Verdict, Signature | None, str]:
    failing = [o for o in natural if o.status == "fail"]
    if failing:
        return "diverges", failing[0].signature, failing[0].reason
    if forced is not None and forced.status == "fail":
        return "fragile", forced.signature, forced.reason
    if all(o.status == "untestable" for o in natural):
        return "untestable", natural[0].signature, natural[0].reason
    return "matches", None, ""


def _nondeterministic_reference(ctx: Context) -> Finding | None:
    """The reference against itself, run again in a fresh process; None when both agree."""
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
