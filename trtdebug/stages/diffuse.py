"""Before a search: does rounding at the nodes that nobody convicted break the tolerance, whatever the kernels do?

Then the search would find one set of healthy nodes after the other, a hundred builds long, and nobody at fault.
"""

from __future__ import annotations

from collections.abc import Collection

from trtdebug.core.diagnosis import Culprit
from trtdebug.stages.conditioning import ends_range, ill_conditioned
from trtdebug.stages.context import Context
from trtdebug.stages.digits import digits_lost, only_round
from trtdebug.stages.drift import Drift, Failure
from trtdebug.stages.observe import Observation


def diffuse(ctx: Context, convicted: Collection[str], seen: Observation, failure: Failure) -> tuple[str, ...]:
    """Nodes that only round, and together break the tolerance, where no other node is left to be suspected.

    That is so where the digits that they lose, computed by the reference, break it; where no other node is
    ill-conditioned; where the candidate's failure with just them in low precision is no more than lost digits make; and
    where all others but the convicted pass together. Else empty. One run of the reference; where that fails two more,
    and two trials.
    """
    others = [n for n in ctx.items if n not in convicted and n not in ctx.skipped]
    rounding = tuple(n for n in others if only_round(ctx, [n], seen))
    if not _breaks(ctx, rounding):
        return ()
    rounding = tuple(
        n for n in rounding if not ends_range(ctx, n)
    )  # looks at every number that they read and write
    rest = tuple(n for n in others if n not in rounding)
    if not _breaks(ctx, rounding) or ill_conditioned(ctx, (*rest, *convicted), seen):
        return ()
    drifts = Drift(ctx, seen, failure).among([Culprit(rounding, "precision", "")])
    return rounding if drifts and (not rest or failure(rest).status == "pass") else ()


def _breaks(ctx: Context, nodes: tuple[str, ...]) -> bool:
    """Whether the digits that these nodes lose break the tolerance."""
    return ctx.low is not None and bool(nodes) and digits_lost(ctx, nodes, ctx.low).status == "fail"
