"""Outputs that one of two models has and the other has not."""

from __future__ import annotations

from pathlib import Path

from trtdebug.core.finding import Finding
from trtdebug.core.words import listed
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_skeleton
from trtdebug.stages.context import Context

_NAMED = 5


def one_sided_outputs(ctx: Context) -> tuple[Finding, ...]:
    """One finding where the candidate's own model has other outputs than the reference's; else none."""
    if ctx.case.candidate_model is None:
        return ()
    ours, theirs = ctx.index.outputs, GraphIndex(load_skeleton(Path(ctx.case.candidate_model))).outputs
    lacking = [name for name in ours if name not in theirs]
    added = [name for name in theirs if name not in ours]
    told = [f"the candidate model lacks {listed(map(repr, lacking), _NAMED)}"] if lacking else []
    told += [f"the reference lacks {listed(map(repr, added), _NAMED)}"] if added else []
    if not told:
        return ()
    mitigation = (
        "Outputs are compared by name: rename them in one of the models, or give both models the same ones."
    )
    return (Finding("outputs-differ", "error", f"outputs: {'; '.join(told)}", None, mitigation),)
