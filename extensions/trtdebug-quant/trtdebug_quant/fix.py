"""The fix `quant-leave-float`: the fewest layers that have to stay in float, those first that hurt the outputs most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from trtdebug.core.errors import UserError
from trtdebug.core.words import listed
from trtdebug.oracle.tolerance import limits
from trtdebug.plugins.types import FixContext, FixProposal
from trtdebug_quant.bench import Bench
from trtdebug_quant.floating import unquantised
from trtdebug_quant.layers import Layer
from trtdebug_quant.measure import measure
from trtdebug_quant.sides import Sides
from trtdebug_quant.trial import Trial

_SAMPLES = 4
"""To rank layers by; a fix is verified on all."""
_NAMED = 4


def propose(context: FixContext) -> Iterator[FixProposal]:
    """Q/DQ models with layers left in float; none where the candidate takes no other model.

    First the fewest that were found with which the outputs are right on the CPU, then more, should the candidate need
    them. For a Q/DQ model without a float one beside it, only in INT8: its own outputs are then the reference, and what
    low precision does to it is none of its quantisation's doing.
    """
    case, keep = context.case, context.keep_model
    if keep is None or "ReplaceGraph" not in context.realises or context.signature.kind == "build-failure":
        return
    models = Sides.of(context.model, context.index, case)
    if models is None or (models.float_model is None and case.options.precision != "int8"):
        return
    samples = list(islice(context.samples(), _SAMPLES))
    if not models.layers or not samples:
        return
    try:
        bench = Bench(models.quantised, models.float_model, samples[0])
        layers = [loss.layer for loss in measure(bench, samples).losses]
        trial = Trial(bench, samples, limits(case.tolerance, case.options))
        sets = list(_sets(trial, layers))
    except UserError as error:
        yield FixProposal("rewrite", "leave quantised layers in float", (), obstacle=error.message)
        return
    for chosen in sets:
        model = unquantised(models.quantised, chosen, bench.original)
        yield FixProposal(
            kind="rewrite",
            summary=_summary(chosen, len(layers)),
            interventions=(keep(model),),
            cost=float(len(chosen)),
            rounds=True,
        )


def _sets(trial: Trial, layers: Sequence[Layer]) -> Iterator[Sequence[Layer]]:
    """Layers to leave in float: the shortest right beginning without what it does not need, then longer beginnings.

    Args:
        layers: the worst first.
    """
    fewest = next((n for n in range(1, len(layers)) if trial.is_right(layers[:n])), len(layers))
    needed = list(layers[:fewest])
    for layer in reversed(layers[:fewest]):
        others = [other for other in needed if other is not layer]
        if others and trial.is_right(others):
            needed = others
    yield needed
    if len(needed) < fewest:
        yield layers[:fewest]
    more = 1
    while fewest + more < len(layers):
        yield layers[: fewest + more]
        more *= 2
    if fewest < len(layers):
        yield layers


def _summary(chosen: Sequence[Layer], of: int) -> str:
    names = listed((layer.node for layer in chosen), _NAMED)
    return f"leave {len(chosen)} of {of} quantised layers in float: {names}"
