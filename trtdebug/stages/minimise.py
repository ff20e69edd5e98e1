"""Minimise: of the pins with which the case passes, those that are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import Signature
from trtdebug.oracle.verdict import evidence_on
from trtdebug.search.drive import drive_ahead
from trtdebug.search.protect import MinimalProtect
from trtdebug.search.types import Subset, Verdict
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.localise import Located

MAX_TRIALS = 32
"""Builds that it rests on, at most: where hundreds of nodes only round, fewer pins are not worth more."""


@dataclass(frozen=True)
class MinimalPins:
    """Pins of which none is known to be needless.

    Attributes:
        untested: those of `pins` whose need could not be tested; none of the others can be left out.
    """

    pins: tuple[str, ...]
    untested: tuple[str, ...] = ()


def minimal_pins(ctx: Context, signature: Signature, located: Located) -> MinimalPins | None:
    """Leaves out each pin without which the case, all unpinned nodes forced into low precision, still passes.

    What the search has shown takes no build: a node that fails alone needs its pin. None where there are no pins.
    Several workers also build what may be asked next: in each round all but one of them may do so in vain.
    """
    if not located.pins:
        return None
    number = {name: i for i, name in enumerate(ctx.items)}
    pins, everything = frozenset(number[n] for n in located.pins), frozenset(number.values())
    alone = pins & {number[n] for n in located.alone}
    search = MinimalProtect(len(number), pins, alone, ctx.session.workers, max_trials=MAX_TRIALS)
    search.tell(everything - pins, "pass")
    search.tell(everything, "fail")
    for culprit in located.culprits:
        if culprit.proven and culprit.kind == "precision":
            search.tell(frozenset(number[n] for n in culprit.nodes), "fail")

    def job(low: Subset) -> Job:
        return ctx.low_job({ctx.items[i] for i in low}, located.fast)

    def prepare(lows: Sequence[Subset]) -> None:
        left = min(len(everything - low) for low in lows)
        ctx.report_progress(Progress("fix", f"are {left} of {len(pins)} pins enough?", left, len(pins)))
        ctx.session.run_ahead([job(low) for low in lows])

    def test(low: Subset) -> Verdict:
        return evidence_on(ctx.session.run(job(low)), signature)

    answer = drive_ahead(search, test, prepare)
    if not answer.protect <= pins:  # builds that contradict each other: nothing more is known than before
        return MinimalPins(located.pins, _names(ctx, pins - alone))
    return MinimalPins(_names(ctx, answer.protect), _names(ctx, answer.unresolved & answer.protect))


def _names(ctx: Context, numbers: Subset) -> tuple[str, ...]:
    return tuple(ctx.items[i] for i in sorted(numbers))
