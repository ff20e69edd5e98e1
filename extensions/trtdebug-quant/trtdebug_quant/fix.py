"""The fix `quant-leave-float`: the fewest layers that have to stay in float, those first that hurt the outputs most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from trtdebug.core.errors import UserError
from trtdebug.plugins.types import FixContext, FixProposal
from trtdebug_quant.floating import unquantised
from trtdebug_quant.measure import Loss, measure
from trtdebug_quant.sides import Sides

_SAMPLES = 4
"""To rank layers by; a fix is verified on all."""
_NAMED = 4


def propose(context: FixContext) -> Iterator[FixProposal]:
    """Q/DQ models with more and more layers left in float; none where the candidate takes no other model.

    For a Q/DQ model without a float one beside it, only in INT8: its own outputs are then the reference, and what
    low precision does to it is none of its quantisation's doing.
    """
    case, keep = context.case, context.keep_model
    if keep is None or "ReplaceGraph" not in context.realises or context.signature.kind == "build-failure":
        return
    models = Sides.of(context.model, context.index, case)
    if models is None or (models.float_model is None and case.options.precision != "int8"):
        return
    if not models.layers:
        return
    try:
        measured = measure(models.quantised, islice(context.samples(), _SAMPLES), models.float_model)
    except UserError as error:
        yield FixProposal("rewrite", "leave quantised layers in float", (), obstacle=error.message)
        return
    for count in _ladder(len(measured.losses)):
        chosen = [loss.layer for loss in measured.losses[:count]]
        yield FixProposal(
            kind="rewrite",
            summary=_summary(measured.losses, count),
            interventions=(keep(unquantised(models.quantised, chosen, measured.original)),),
            cost=float(count),
            rounds=True,
        )


def _ladder(layers: int) -> Iterator[int]:
    """1, 2, 3, 4, 5, 6, 8, 10, 13, ...: each step a quarter more, since each is a model and a build."""
    count = 1
    while count < layers:
        yield count
        count = max(count + 1, round(count * 1.25))
    yield layers


def _summary(losses: Sequence[Loss], count: int) -> str:
    names = ", ".join(loss.layer.node for loss in losses[: min(count, _NAMED)])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return f"leave {count} of {len(losses)} quantised layers in float: {names}{more}"
