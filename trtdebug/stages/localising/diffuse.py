"""Before a search: does rounding at the nodes that nobody convicted break the tolerance, whatever the kernels do?

Then the search would find one set of healthy nodes after the other, a hundred builds long, and nobody at fault.
"""

from __future__ import annotations

from collections.abc import Collection

from trtdebug.stages.context import Context
from trtdebug.stages.localising.drift import Drift, Failure
from trtdebug.stages.observing.conditioning import ends_range, ill_conditioned
from trtdebug.stages.observing.digits import digits_lost, only_round
from trtdebug.stages.observing.observe import Observation


def diffuse(ctx: Context, convicted: Collection[str], seen: Observation, failure: Failure) -> tuple[str, ...]:
    """Nodes that only round, and together break the tolerance, where no other node is left to be suspected.

    That is so where the digits that they lose, computed by the reference, break it; where no other node is
    ill-conditioned; where the candidate's failure with just them in low precision is no more than lost digits make; and
    where all others but the convicted pass together. Else empty. One run of the reference; where that fails two more,
    and two trials.
    """
    if ctx.low is None:
        return ()
    others = [n for n in ctx.items if n not in convicted and n not in ctx.skipped]
    rounding = tuple(n for n in others if only_round(ctx, [n], seen))
    lost = digits_lost(ctx, rounding, ctx.low)
    if lost.status != "fail":
        return ()
    # only now, as it looks at every number that they read and write
    within = tuple(n for n in rounding if not ends_range(ctx, n))
    if within != rounding:
        lost = digits_lost(ctx, within, ctx.low)
    rest = tuple(n for n in others if n not in within)
    if lost.status != "fail" or ill_conditioned(ctx, (*rest, *convicted), seen):
        return ()
    drifts = Drift(ctx, seen, failure).explained(within, lost)
    return within if drifts and (not rest or failure(rest).status == "pass") else ()
