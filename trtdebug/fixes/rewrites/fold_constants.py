"""Constants folded: nodes that read nothing but constants are computed once, here, and not by the builder.

A builder that computes them in low precision, or cannot build them at all, meets their values instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.errors import UserError
from trtdebug.graph.folding import fold_constants, foldable
from trtdebug.plugins.rewrites import fails_to_build, guilty_nodes, proposal
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer


def fold(context: FixContext) -> Iterator[FixProposal]:
    """All constants, where one of them is at fault or the model does not build; nothing where nothing was folded."""
    constant = foldable(context.model)
    if not constant or not (fails_to_build(context) or guilty_nodes(context) & set(constant)):
        return
    try:
        folded = fold_constants(context.model)
    except (
        UserError
    ):  # onnxruntime, which folds, is missing or folds none of them: no fix, and no fault of the session
        return
    told = [f"fold {len(folded.nodes)} constant nodes"] if folded.nodes else []
    told += [f"leave out {len(folded.unneeded)} nodes that nothing needs"] if folded.unneeded else []
    if told:
        yield from proposal(context, " and ".join(told), folded.model, cost=len(constant))


FIX = FixProposer("fold-constants", "constants folded", fold)
