"""Graph rewrites as fixes: from a `Rewrite` to a fix proposer, for built-ins and extensions alike.

A rewritten model is proposed where it touches what is at fault. Before any candidate builds it, the reference has to
give the same outputs for it on every sample (see trtdebug.stages.fixing.rewrites).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

from trtdebug.graph.rewrite import Replacement, Rewrite, rewritten
from trtdebug.graph.view import GraphView
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

Where = Callable[[FixContext, Replacement], bool]
"""Whether a replacement is worth a trial in this case."""


def touches_culprit(context: FixContext, replacement: Replacement) -> bool:
    """A node that goes, or that the replacement is for, is at fault."""
    return not guilty_nodes(context).isdisjoint((*replacement.nodes, *replacement.about))


def beside_culprit(context: FixContext, replacement: Replacement) -> bool:
    """As `touches_culprit`, or a direct neighbour of such a node is at fault."""
    index = context.index
    near = {n for name in replacement.nodes for n in (*index.predecessors(name), *index.successors(name))}
    return touches_culprit(context, replacement) or not guilty_nodes(context).isdisjoint(near)


def where_it_fails(context: FixContext, replacement: Replacement) -> bool:
    """As `touches_culprit`; anywhere, where the model does not build."""
    return fails_to_build(context) or touches_culprit(context, replacement)


def guilty_nodes(context: FixContext) -> frozenset[str]:
    """All nodes at fault: the culprits, and what has to be pinned."""
    return frozenset(name for nodes in (*context.culprits, context.pins or ()) for name in nodes)


def fails_to_build(context: FixContext) -> bool:
    """Whether the candidate cannot build the model at all."""
    return context.signature.kind == "build-failure"


def rewrite_fix(rewrite: Rewrite, where: Where = touches_culprit) -> FixProposer:
    """The rewrite as a fix: one proposal, with all replacements that `where` wants.

    It costs one more than the nodes that it takes out: of a pin of the same nodes and a rewrite, the pin comes first,
    since it leaves the model's file alone.
    """

    def propose(context: FixContext) -> Iterator[FixProposal]:
        if not _can_rewrite(context):
            return
        view = GraphView(context.model, context.index)
        result = rewritten(view, rewrite.find(view), lambda replacement: where(context, replacement))
        if result is not None:
            places = f"{len(result.done)} place{'s' if len(result.done) > 1 else ''}"
            cost = 1 + sum(len(replacement.nodes) for replacement in result.done)
            yield from proposal(context, f"{rewrite.summary}, at {places}", result.model, cost)

    return FixProposer(rewrite.name, rewrite.summary, propose)


def proposal(context: FixContext, summary: str, model: onnx.ModelProto, cost: float) -> Iterator[FixProposal]:
    """The proposal to build this model instead; none where the candidate builds a model of its own, or cannot."""
    if _can_rewrite(context):
        assert context.keep_model is not None
        yield FixProposal("rewrite", summary, (context.keep_model(model),), float(cost))


def _can_rewrite(context: FixContext) -> bool:
    return (
        context.keep_model is not None
        and "ReplaceGraph" in context.realises
        and context.case.candidate_model is None
    )
