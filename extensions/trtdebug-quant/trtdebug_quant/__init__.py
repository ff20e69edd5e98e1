"""trtdebug extension: what is wrong with a Q/DQ model, what each layer loses, and which to leave in float."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, CheckContext, Finding, FixProposer
from trtdebug_quant.fix import propose
from trtdebug_quant.placement import find_misplaced
from trtdebug_quant.ranges import find_bad_ranges
from trtdebug_quant.scales import find_bad_scales
from trtdebug_quant.sides import Sides


def find_faults(context: CheckContext) -> Iterator[Finding]:
    """All findings about the Q/DQ pairs of the model that the candidate builds."""
    models = Sides.of(context.model, context.index, context.case)
    if models is not None and models.pairs:
        yield from find_misplaced(models)
        yield from find_bad_scales(models)
        yield from find_bad_ranges(models, context.reference)


@hookimpl
def trtdebug_checks() -> Iterable[Check]:
    yield Check("quant", "Q/DQ pairs: scales, ranges, axes, types, ends that do not fit", run=find_faults)


@hookimpl
def trtdebug_fixes() -> Iterable[FixProposer]:
    yield FixProposer(
        "quant-leave-float",
        "leaves the layers in float that lose most by quantisation",
        propose=propose,
        seconds=900.0,
    )
