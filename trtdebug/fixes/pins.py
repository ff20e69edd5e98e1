"""Pins: the nodes that have to work in FP32."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.core.intervention import PinPrecision
from trtdebug.plugins.types import FixContext, FixProposal


def pin_culprits(context: FixContext) -> Iterable[FixProposal]:
    """Pins the smallest set of nodes that the search found to make the case pass."""
    if not context.pins:
        return
    nodes = context.pins
    names = ", ".join(nodes[:4]) + (f" and {len(nodes) - 4} more" if len(nodes) > 4 else "")
    plural = "node" if len(nodes) == 1 else "nodes"
    yield FixProposal(
        "pin",
        f"pin {len(nodes)} {plural} to FP32: {names}",
        (PinPrecision(nodes, "fp32"),),
        float(len(nodes)),
    )
