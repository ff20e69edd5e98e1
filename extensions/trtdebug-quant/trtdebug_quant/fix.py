"""The fix `quant-leave-float`: the fewest layers that have to stay in float, those first that hurt the outputs most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from trtdebug.core.errors import UserError
from trtdebug.oracle.tolerance import Limits, limits
from trtdebug.plugins.types import FixContext, FixProposal, Sample
from trtdebug_quant.bench import Bench
from trtdebug_quant.floating import unquantised
from trtdebug_quant.layers import Layer
from trtdebug_quant.measure import measure
from trtdebug_quant.pairs import Array
from trtdebug_quant.sides import Sides
from trtdebug_quant.sqnr import Sqnr

_SAMPLES = 4
"""To rank layers by; a fix is verified on all."""
_NAMED = 4


def propose(context: FixContext) -> Iterator[FixProposal]:
    """Q/DQ models with layers left in float; none where the candidate takes no other model.

    First the fewest with which the outputs are right on the CPU, then more, should the candidate need them. For a Q/DQ
    model without a float one beside it, only in INT8: its own outputs are then the reference, and what low precision
    does to it is none of its quantisation's doing.
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
        fewest = _fewest(bench, samples, layers, limits(case.tolerance, case.options))
    except UserError as error:
        yield FixProposal("rewrite", "leave quantised layers in float", (), obstacle=error.message)
        return
    for count in _counts(fewest, len(layers)):
        model = unquantised(models.quantised, layers[:count], bench.original)
        yield FixProposal(
            kind="rewrite",
            summary=_summary(layers, count),
            interventions=(keep(model),),
            cost=float(count),
            rounds=True,
        )


def _fewest(bench: Bench, samples: Sequence[Sample], layers: Sequence[Layer], allowed: Limits) -> int:
    """How many of the first layers have to be float for the outputs to be right."""
    floats = [bench.run(sample, (), bench.ends) for sample in samples]
    for count in range(1, len(layers)):
        on = {layer.node for layer in layers[count:]}
        found = (bench.run(sample, on, bench.ends) for sample in samples)
        pairs = zip(floats, found, strict=True)
        if all(_right(allowed.of(end), f[end], q[end]) for f, q in pairs for end in bench.ends):
            return count
    return len(layers)


def _right(allowed: Limits, reference: Array, found: Array) -> bool:
    if allowed.elementwise:
        bound = (allowed.atol or 0.0) + (allowed.rtol or 0.0) * np.abs(reference)
        return bool(np.all(np.abs(found - reference) <= bound))
    sqnr = Sqnr()
    sqnr.add(reference, found)
    return sqnr.noise <= allowed.rms**2 * sqnr.signal


def _counts(fewest: int, layers: int) -> Iterator[int]:
    """`fewest`, and 1, 2, 4, ... more, up to all."""
    more = 0
    while fewest + more < layers:
        yield fewest + more
        more = max(1, 2 * more)
    yield layers


def _summary(layers: Sequence[Layer], count: int) -> str:
    names = ", ".join(layer.node for layer in layers[: min(count, _NAMED)])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return f"leave {count} of {len(layers)} quantised layers in float: {names}{more}"
