"""Knobs: global builder switches that cure the case."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.types import FixContext, FixProposal


def turn_knobs(context: FixContext) -> Iterable[FixProposal]:
    """The fewest switches that were seen to cure the case, together."""
    if context.knobs:
        told = ", ".join(f"{k.name}={k.value}" for k in context.knobs)
        yield FixProposal("knob", f"build with {told}", context.knobs, float(len(context.knobs)))
