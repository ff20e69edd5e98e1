"""Pins where rounding at many nodes breaks the tolerance: the nodes that matter most, as many as it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.localising.atoms import Atoms
from trtdebug.stages.localising.localise import Located
from trtdebug.stages.low_trials import low_outcome
from trtdebug.stages.observing.digits_each import digits_lost_each

_TRIALS = 8


def with_enough_pins(ctx: Context, located: Located) -> Located:
    """With the fewest pins of that kind that were seen to make the case pass; unchanged where there is no such matter.

    The reference says what the lost digits of each node by itself do to the outputs. Where roundings do not depend on
    each other, their squares add up: that is the first guess, and bisection from there. Some eight trials; what cannot
    be tested counts as not enough. Nodes of one layer are pinned together. Without pins where fewer than all nodes were
    not seen to be enough.
    """
    if not located.rounding or ctx.low is None:
        return located
    lost = digits_lost_each(ctx, located.rounding, ctx.low)
    atoms = Atoms.of(ctx.items, located.inseparable)
    rounding = atoms.touching(located.rounding)
    shares = {
        name: max(_share(lost.get(n)) for n in atoms.members[name])
        for name in atoms.names
        if name in rounding
    }
    order = sorted(shares, key=lambda name: -shares[name])
    least, most = 0, len(order)  # none is not enough, all are
    guess = expected([shares[name] for name in order])
    for _ in range(_TRIALS):
        if least + 1 >= most:
            break
        number = min(max(guess, least + 1), most - 1)
        if _pass(ctx, located, atoms.nodes(order[:number])):
            most = number
        else:
            least = number
        guess = (least + most) // 2
    pinned = located.alone | atoms.nodes(order[:most])
    pins = tuple(n for n in ctx.items if n in pinned)
    return replace(located, pins=pins) if len(pins) < len(ctx.items) else located


def _pass(ctx: Context, located: Located, pinned: frozenset[str]) -> bool:
    ctx.report_progress(
        Progress("fix", f"are {len(pinned)} more pins enough?", len(pinned), len(located.rounding))
    )
    low = [n for n in ctx.items if n not in located.alone and n not in pinned]
    return low_outcome(ctx, low, located.fast).status == "pass"


def _share(lost: Outcome | None) -> float:
    """What it takes up of the tolerance; infinite where that is not known, as of who is convicted."""
    if lost is None:
        return math.inf
    return max((e.of_limit if e.of_limit is not None else math.inf for e in lost.tensors), default=0.0)


def expected(shares: Sequence[float]) -> int:
    """How many of these, the largest first, have to go so that the rest keeps the tolerance."""
    squares = list(accumulate(share * share for share in reversed(shares)))
    return len(shares) - sum(total <= 1 for total in squares)
