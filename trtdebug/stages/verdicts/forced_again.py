"""The build with low precision forced, again: one that failed need not do so the next time."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.finding import Finding
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.recurrence import Recurrence

_AGAIN = 2
"""More builds that have to fail before a failure counts as one that always shows."""
_FOR_A_RATE = 8
"""More builds that say how often it shows, where it does not always."""


def forced_again(ctx: Context, forced: Job) -> None:
    """Gives `ctx` how often the forced build fails: by two more builds where both do, else by eight.

    None are made where the candidate always gives the same.

    Args:
        forced: the build with every node in low precision.
    """
    if ctx.candidate.deterministic:
        return
    _count(ctx, forced, _AGAIN)
    if not ctx.recurrence.always:
        _count(ctx, forced, _FOR_A_RATE)


def doubted(ctx: Context, forced: Job) -> None:
    """The same by eight, where builds contradict each other; where it was not asked before, it does not matter now."""
    if ctx.recurrence.tested:
        _count(ctx, forced, _FOR_A_RATE)


def flaky_forced_builds(ctx: Context) -> tuple[Finding, ...]:
    """`flaky-forced-builds` where the forced build does not always fail."""
    seen = ctx.recurrence
    if seen.always:
        return ()
    said = f"in {seen.builds} builds" + ("" if seen.enough else ", and even these may all pass by chance")
    return (
        Finding(
            "flaky-forced-builds",
            "warning",
            f"with low precision forced everywhere, only {seen.failed} of {seen.tested} more builds are wrong, by the "
            f"same command: one that passes says little. What passes here did so {said}.",
            mitigation="What is not pinned may fail once in many builds: make more of them (--builds, --fix-builds).",
        ),
    )


def _count(ctx: Context, forced: Job, builds: int) -> None:
    ctx.report_progress(Progress("sanity", f"every node forced to {(ctx.low or '').upper()}, again"))
    jobs = [replace(forced, purpose="forced again", repeat=n + 1, keep="none") for n in range(builds)]
    ctx.recurrence = Recurrence.of(ctx.session.run_all(jobs))
