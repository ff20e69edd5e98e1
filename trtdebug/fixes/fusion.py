"""Fusion breakers: a node that does nothing, or an extra output, where the builder would fuse and go wrong."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.core.intervention import BreakFusion, MarkOutputs
from trtdebug.core.words import listed
from trtdebug.plugins.types import FixContext, FixProposal

_NEUTRAL_NODE = 0.9
"""Price of a neutral node against an extra output, 1: the engine keeps its outputs, and so does what calls it."""
_NAMED = 3


def break_fusions(context: FixContext) -> Iterable[FixProposal]:
    """Breaks fusions across the tensors whose marking was seen to cure the case, by neutral nodes in the graph."""
    if context.marks:
        yield FixProposal(
            "fusion",
            f"keep {listed(context.marks, _NAMED)} out of fusions by a node that changes nothing",
            tuple(BreakFusion(tensor) for tensor in context.marks),
            _NEUTRAL_NODE * len(context.marks),
        )


def mark_tensors(context: FixContext) -> Iterable[FixProposal]:
    """Marks the tensors whose marking was seen to cure the case."""
    if context.marks:
        yield FixProposal(
            "fusion",
            f"make {listed(context.marks, _NAMED)} an output of the engine"
            if len(context.marks) == 1
            else f"make {listed(context.marks, _NAMED)} outputs of the engine",
            (MarkOutputs(context.marks),),
            float(len(context.marks)),
        )
