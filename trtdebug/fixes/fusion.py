"""Fusion breakers: tensors whose marking as outputs keeps the builder from a fusion that goes wrong."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.core.intervention import MarkOutputs
from trtdebug.plugins.types import FixContext, FixProposal


def mark_tensors(context: FixContext) -> Iterable[FixProposal]:
    """Marks the tensors whose marking was seen to cure the case."""
    if context.marks:
        plural = "tensor as an output" if len(context.marks) == 1 else "tensors as outputs"
        marks = MarkOutputs(context.marks)
        yield FixProposal(
            "fusion", f"mark {len(context.marks)} {plural}", (marks,), float(len(context.marks))
        )
