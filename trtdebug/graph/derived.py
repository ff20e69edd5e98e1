"""Nodes whose results no number that is fed into the model can change."""

from __future__ import annotations

from collections.abc import Callable

from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.randomness import RANDOM

_ASKS_FOR_SHAPE = ("Shape", "Size")


def from_constants(index: GraphIndex) -> frozenset[str]:
    """Nodes whose results stand in the model, in effect: they read constants alone. Those that draw do not count."""
    return _derived(index, lambda node: False)


def from_shapes(index: GraphIndex) -> frozenset[str]:
    """Nodes whose results follow from constants and from shapes of tensors alone."""
    return _derived(index, lambda node: node.op in _ASKS_FOR_SHAPE)


def _derived(index: GraphIndex, starts: Callable[[Node], bool]) -> frozenset[str]:
    found: set[str] = set()
    known = set(index.initializers)
    for name in index.order:
        node = index.node(name)
        if node.op in RANDOM or (not node.reads and node.op != "Constant"):
            continue
        if starts(node) or known.issuperset(node.reads):
            found.add(name)
            known.update(node.writes)
    return frozenset(found)
