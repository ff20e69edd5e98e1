"""Trials with exactly some nodes in low precision, in as many builds as it takes before a pass means something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Context


def low_outcome(ctx: Context, nodes: Collection[str], fast: bool) -> Outcome:
    """The first build with exactly these nodes in low precision that does not pass, else the last one."""
    return low_outcomes(ctx, [nodes], fast)[0]


def low_outcomes(
    ctx: Context, sets: Sequence[Collection[str]], fast: bool, again: Sequence[int] | None = None
) -> list[Outcome]:
    """The same of each of these sets, at once.

    Args:
        again: by set: how often it was tried before, so that its builds are others.
    """
    builds = ctx.recurrence.builds
    before = again or [0] * len(sets)
    jobs = [replace(ctx.low_job(s, fast), repeat=n * builds) for s, n in zip(sets, before, strict=True)]
    outcomes = list(ctx.session.run_all(jobs))
    for number in range(1, builds):
        left = [n for n, outcome in enumerate(outcomes) if outcome.status == "pass"]
        more = [replace(jobs[n], repeat=jobs[n].repeat + number) for n in left]
        for n, outcome in zip(left, ctx.session.run_all(more), strict=True):
            outcomes[n] = outcome
    return outcomes
