"""Tensors of one name in two models: exporters number them, so one name may stand for two tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.types import TensorType


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    index: GraphIndex
    types: Mapping[str, TensorType]

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset({*self.index.tensors, *self.index.inputs, *self.index.initializers})

    def readers(self, tensor: str) -> frozenset[tuple[str, tuple[str, ...]]]:
        """Operator and outputs of each node that reads it."""
        nodes = map(self.index.node, self.index.consumers.get(tensor, ()))
        return frozenset((node.op, tuple(node.writes)) for node in nodes)


def may_be_same(tensor: str, one: Side, other: Side) -> bool:
    """Whether nothing speaks against this tensor, which nodes of both models write, being the same in both.

    Against it speak another operator (unless it stands in the same place: it reads the same, and the same read it),
    another shape, and that each node reads a tensor instead of one of the other's, although both models have both (a
    pair of QuantizeLinear and DequantizeLinear is one that only one of them has).
    """
    ours, theirs = (side.index.node(side.index.producer[tensor]) for side in (one, other))
    same_place = ours.reads == theirs.reads and one.readers(tensor) == other.readers(tensor)
    if (ours.op, ours.domain) != (theirs.op, theirs.domain) and not same_place:
        return False
    both = one.names & other.names
    instead = {*ours.reads} & both - {*theirs.reads}, {*theirs.reads} & both - {*ours.reads}
    return not all(instead) and _fit(one.types.get(tensor), other.types.get(tensor))


def _fit(one: TensorType | None, other: TensorType | None) -> bool:
    if one is None or other is None or one.shape is None or other.shape is None:
        return True
    if len(one.shape) != len(other.shape):
        return False
    known = [
        pair for pair in zip(one.shape, other.shape, strict=True) if all(isinstance(d, int) for d in pair)
    ]
    return all(a == b for a, b in known)
