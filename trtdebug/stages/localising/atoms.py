"""Atoms: what a search over precisions tells apart. Nodes, and layers of the engine that compute several.

A builder that has fused a convolution with the ReLU behind it rarely gives the two different precisions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import EngineInfo

_LARGEST = 8
"""Nodes of a layer; a larger one is a block that a compiler makes of many kernels, each with a precision of its own."""


@dataclass(frozen=True)
class Atoms:
    """The atoms of some nodes.

    Attributes:
        names: of each the first node, in the nodes' order.
        members: all nodes of an atom, in the nodes' order, by its name.
    """

    names: tuple[str, ...]
    members: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, nodes: Sequence[str], layers: Iterable[Collection[str]] = ()) -> Atoms:
        """Atoms of these nodes, with layers that have no node in common."""
        layer_of = {node: frozenset(layer) for layer in layers for node in layer}
        members: dict[str, tuple[str, ...]] = {}
        taken: set[str] = set()
        for node in nodes:
            if node not in taken:
                layer = layer_of.get(node, frozenset((node,)))
                members[node] = tuple(n for n in nodes if n in layer) if len(layer) > 1 else (node,)
                taken.update(members[node])
        return cls(tuple(members), members)

    def nodes(self, names: Iterable[str]) -> frozenset[str]:
        """All nodes of the atoms of these names."""
        return frozenset(node for name in names for node in self.members[name])

    def within(self, nodes: Collection[str]) -> frozenset[str]:
        """The atoms of which all nodes are among these."""
        return frozenset(name for name in self.names if all(n in nodes for n in self.members[name]))

    def touching(self, nodes: Collection[str]) -> frozenset[str]:
        """The atoms of which any node is among these."""
        return frozenset(name for name in self.names if any(n in nodes for n in self.members[name]))


def fused_layers(engine: EngineInfo | None) -> tuple[tuple[str, ...], ...]:
    """Nodes of each layer that computes several, and no node of another such layer."""
    layers = [x.nodes for x in engine.layers if 1 < len(x.nodes) <= _LARGEST] if engine is not None else []
    times = Counter(node for layer in layers for node in layer)
    return tuple(layer for layer in layers if all(times[node] == 1 for node in layer))


def whole_within(layers: Iterable[tuple[str, ...]], nodes: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """The layers of which all nodes are among these, or none."""
    return tuple(layer for layer in layers if len({n in nodes for n in layer}) == 1)
