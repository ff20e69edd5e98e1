"""Pins: the nodes that have to work in FP32."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.proposals import pin_nodes
from trtdebug.plugins.types import FixContext, FixProposal


def pin_culprits(context: FixContext) -> Iterable[FixProposal]:
    """Pins the smallest set of nodes that the search found to make the case pass."""
    if context.pins:
        yield pin_nodes(context.pins)
