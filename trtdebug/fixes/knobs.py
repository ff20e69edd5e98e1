"""Knobs: global builder switches that cure the case."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.core.intervention import Knob
from trtdebug.plugins.types import FixContext, FixProposal

_PRICE = {"tf32": 2.0, "workspace": 2.0, "optimization_level": 8.0}
"""Against a pin of one node, 1. TF32 off slows down every product, a low level everything; others a few kernels."""


def turn_knobs(context: FixContext) -> Iterable[FixProposal]:
    """The fewest switches that were seen to cure the case, together."""
    if context.knobs:
        told = ", ".join(f"{k.name}={k.value}" for k in context.knobs)
        yield FixProposal("knob", f"build with {told}", context.knobs, price(context.knobs))


def price(knobs: Iterable[Knob]) -> float:
    """What the switches cost in production, roughly, where the pin of a node costs 1."""
    return sum(_PRICE.get(k.name, 1.0) for k in knobs)
