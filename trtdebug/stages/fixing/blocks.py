"""Blocks: more pins, with which the engine may be faster, since no fusion is split and fewer tensors are converted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from trtdebug.core.outcome import LayerInfo, Outcome
from trtdebug.graph.lowtypes import TYPE_BLIND
from trtdebug.graph.region import Flow, block_around, groups
from trtdebug.stages.context import Context

_LIMIT = 32
"""Nodes of a block, at most: a whole transformer in one block is FP32, and no fix."""


def whole_blocks(ctx: Context, pins: Collection[str], natural: Sequence[Outcome]) -> tuple[str, ...]:
    """The pins, and what should work in one precision with them; in topological order.

    Around each group of pins that feed each other: the layers of the engine, built as the user does, that hold one of
    them; where these hold nothing else, or too much, the largest block of light operators with one tensor going in
    and one coming out (see trtdebug.graph.region).

    Args:
        natural: builds as the user does it; the first one that tells of its layers counts.
    """
    layers = next((o.engine.layers for o in natural if o.engine is not None and o.engine.layers), ())
    flow = Flow(
        ctx.index,
        [n for n in ctx.items if ctx.index.node(n).op not in TYPE_BLIND],
        lambda tensor: tensor not in ctx.types or ctx.types[tensor].is_float,
    )
    known = frozenset(flow.nodes)
    found = set(pins)
    for group in groups(ctx.index, pins):
        fused = _fused(layers, group) & known
        found |= fused if fused > set(group) else set(block_around(flow, group, _LIMIT))
    return tuple(n for n in ctx.items if n in found)


def _fused(layers: Sequence[LayerInfo], group: Collection[str]) -> set[str]:
    """The group, and all nodes of the layers that hold any of it."""
    held = (set(layer.nodes or layer.at_most) for layer in layers)
    return set(group).union(*(nodes for nodes in held if len(nodes) <= _LIMIT and nodes & set(group)))
