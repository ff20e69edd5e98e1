"""Sanity: what fails, how surely, and whether low precision is to blame. Before any search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trtdebug.core.diagnosis import Verdict
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.low_trials import low_outcome
from trtdebug.stages.repeated import enough
from trtdebug.stages.verdicts.forced_again import forced_again
from trtdebug.stages.verdicts.rounding import calibrated, emulated_rounding
from trtdebug.stages.verdicts.rows import uneven_rows
from trtdebug.stages.verdicts.steady import nondeterministic_reference

AS_BUILT, FORCED = "as built", "forced"
"""Purposes of the trials that the verdict is made of. Their outputs are kept: `trtdebug reverdict` needs them."""

_BUILDS = 2


@dataclass(frozen=True)
class Sanity:
    """What the first builds say.

    Attributes:
        natural: the candidate built as the user does, `case.builds` times.
        forced: every float node in low precision; None where there is no low precision, or no need to try.
        pinned: the same build with every node pinned to FP32; None when it was not needed.
        fast: the failure also shows with the cheap settings for searching.
        steady: two runs of the reference agree; else nothing can be compared with it.
    """

    verdict: Verdict
    signature: Signature | None
    reason: str
    natural: tuple[Outcome, ...]
    forced: Outcome | None = None
    pinned: Outcome | None = None
    fast: bool = False
    findings: tuple[Finding, ...] = ()
    steady: bool = True

    @property
    def failing(self) -> bool:
        """The candidate, built as the user does, was wrong at least once."""
        return any(o.status == "fail" for o in self.natural)

    @property
    def always(self) -> bool:
        """All builds as the user makes them are wrong, or that is taken for granted."""
        return all(o.status == "fail" for o in self.natural)

    @property
    def presumed(self) -> bool:
        """That it fails need not be shown any more: it was seen, or taken for granted."""
        return self.failing or not self.natural

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
    """Reference twice, candidate `case.builds` times as the user builds it (none: the verdict is left open)."""
    ctx.report_progress(Progress("sanity", "reference"))
    ctx.record()
    unsteady = nondeterministic_reference(ctx)
    if unsteady is not None:
        return Sanity("untestable", None, unsteady.message, (), findings=(unsteady,), steady=False)
    natural, found = calibrated(ctx, _as_built(ctx, ctx.case.builds))
    found += uneven_rows(ctx, natural) + emulated_rounding(ctx, natural)
    return Sanity(*overall(natural, None), natural, findings=found)


def with_forced(ctx: Context, sane: Sanity) -> Sanity:
    """Adds the build with every node in low precision, and, where it fails, the one with every node pinned.

    Where it does not fail, and nothing was built as the user does yet, that is done too: it is the last to know. Where
    not all builds as the user makes them fail, the forced one is built again, and the pinned one too if it takes more.
    Where only some of them fail, a forced one that passes is no evidence: it is built until one fails, or enough pass.
    """
    forced, pinned, fast = _forced(ctx, enough(sane.natural, 1))
    natural = sane.natural
    if forced is not None and forced.status == "fail" and not sane.always:
        forced_again(ctx, forced_job(ctx, fast))
        if pinned is not None and pinned.status == "pass":
            pinned = low_outcome(ctx, (), fast)
    if not natural and (forced is None or forced.status != "fail"):
        natural = _as_built(ctx, _BUILDS)
    found = sane.findings
    if forced is not None and not sane.failing:
        found += emulated_rounding(ctx, [forced])
    return Sanity(*overall(natural, forced), natural, forced, pinned, fast, found)


def can_force(ctx: Context) -> bool:
    """Whether there is a low precision that the candidate can be forced into."""
    of_two_models = ctx.case.candidate_model is not None  # its nodes are not the reference's: nothing to pin
    return ctx.low is not None and not of_two_models and "ForcePrecision" in ctx.candidate.realises


def as_built_job(ctx: Context, number: int = 0) -> Job:
    """A build as the user makes it; each number is another one."""
    return ctx.candidate_job(AS_BUILT, ctx.as_built(), repeat=number)


def forced_job(ctx: Context, fast: bool) -> Job:
    """A build with every node in low precision."""
    return ctx.candidate_job(FORCED, ctx.exposing(ctx.items), fast=fast, keep="all")


def overall(natural: Sequence[Outcome], forced: Outcome | None) -> tuple[Verdict, Signature | None, str]:
    """The session's verdict, its signature and its reason from the builds as the user makes them and the forced."""
    failing = [o for o in natural if o.status == "fail"]
    if failing:
        return "diverges", failing[0].signature, failing[0].reason
    if forced is not None and forced.status == "fail":
        return "fragile", forced.signature, forced.reason
    if not natural:
        return "untestable", None, "the candidate was not built as you build it"
    if all(o.status == "untestable" for o in natural):
        return "untestable", natural[0].signature, natural[0].reason
    return "matches", None, ""


def _as_built(ctx: Context, builds: int) -> tuple[Outcome, ...]:
    if builds:
        times = "once" if builds == 1 else f"{builds} times"
        ctx.report_progress(Progress("sanity", f"built {times} as you build it"))
    return ctx.session.run_all([_natural(ctx, number) for number in range(builds)])


def _natural(ctx: Context, number: int) -> Job:
    first = number == 0
    return replace(as_built_job(ctx, number), keep="all", keep_engine=first, equal_rows=first)


def _forced(ctx: Context, builds: int) -> tuple[Outcome | None, Outcome | None, bool]:
    """The forced build, the pinned one where the forced one fails, and whether with the cheap settings.

    These go first: they are enough where the forced build fails.

    Args:
        builds: that have to pass at the user's own settings.
    """
    if not can_force(ctx):
        return None, None, False
    if ctx.candidate.deterministic:
        return *_forced_and_pinned(ctx, fast=False), False
    cheap, pinned = _forced_and_pinned(ctx, fast=True)
    if cheap.status == "fail":
        return cheap, pinned, True
    own, pinned = _forced_and_pinned(ctx, fast=False)
    if own.status == "pass" and builds > 1:
        again = [replace(forced_job(ctx, fast=False), repeat=number) for number in range(1, builds)]
        own = ctx.session.run_until(again, lambda outcome: outcome.status == "fail")[-1]
        pinned = ctx.session.run(_pinned_job(ctx, fast=False)) if own.status == "fail" else None
    return (own, pinned, False) if own.status != "untestable" else (cheap, None, True)


def _forced_and_pinned(ctx: Context, fast: bool) -> tuple[Outcome, Outcome | None]:
    low = (ctx.low or "").upper()
    ctx.report_progress(Progress("sanity", f"every node forced to {low}; where it fails, pinned to FP32"))
    jobs = [forced_job(ctx, fast), _pinned_job(ctx, fast)]
    first, *second = ctx.session.run_until(jobs, lambda outcome: outcome.status != "fail")
    return first, second[0] if second else None


def _pinned_job(ctx: Context, fast: bool) -> Job:
    return ctx.candidate_job("all pinned", ctx.exposing(()), fast=fast)
