"""The fix `layernorm-pin`."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.intervention import PinPrecision
from trtdebug.plugins.types import FixContext, FixProposal
from trtdebug_layernorm.pattern import find_norms


def pin_norms(context: FixContext) -> Iterator[FixProposal]:
    """One proposal: FP32 from square to square root in each norm with a culprit; none without one."""
    if "PinPrecision" not in context.realises:
        return
    guilty = {name for culprit in context.culprits for name in culprit}
    norms = [norm for norm in find_norms(context.model, context.index) if guilty & set(norm.nodes)]
    if not norms:
        return
    nodes = tuple(sorted({name for norm in norms for name in norm.nodes}, key=context.index.position))
    kinds = " and ".join(sorted({norm.kind for norm in norms}))
    yield FixProposal(
        kind="pin",
        summary=f"FP32 from square to square root in {len(norms)} {kinds} ({len(nodes)} nodes)",
        interventions=(PinPrecision(nodes, "fp32"),),
        cost=float(len(nodes)),
    )
