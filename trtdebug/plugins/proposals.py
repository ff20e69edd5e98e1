"""Proposals that several places make, told alike."""

from __future__ import annotations

from trtdebug.core.intervention import PinPrecision
from trtdebug.core.words import listed
from trtdebug.plugins.types import FixProposal


def pin_nodes(nodes: tuple[str, ...], why: str = "") -> FixProposal:
    """Pins these nodes, in this order, to FP32; the more, the dearer.

    Args:
        why: these, in a few words for the summary.
    """
    plural = "node" if len(nodes) == 1 else "nodes"
    told = f"pin {len(nodes)} {plural} to FP32{f' ({why})' if why else ''}: {listed(nodes, 4)}"
    return FixProposal("pin", told, (PinPrecision(nodes, "fp32"),), float(len(nodes)))
