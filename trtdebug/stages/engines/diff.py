"""Two engines side by side: which layers differ in fusion, precision or tactic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from trtdebug.core.outcome import LayerInfo

Aspect = Literal["fusion", "precision", "tactic", "one-sided"]


@dataclass(frozen=True)
class LayerDifference:
    """Layers that compute the same ONNX nodes, or have the same name, and are not alike.

    Attributes:
        differs: "fusion": the nodes are divided among layers in another way; "precision": other types are read or
            written; "tactic": another kernel; "one-sided": a layer of no node (a reformat, say) that the other
            engine lacks.
        nodes: the ONNX nodes concerned; empty for layers of no node.
        first, second: the layers on either side.
    """

    differs: tuple[Aspect, ...]
    nodes: tuple[str, ...]
    first: tuple[LayerInfo, ...]
    second: tuple[LayerInfo, ...]


@dataclass(frozen=True)
class EngineDiff:
    """`same`: layers that are alike on both sides; `differences`: in the order of the first engine."""

    same: int
    differences: tuple[LayerDifference, ...]


def diff_engines(first: Sequence[LayerInfo], second: Sequence[LayerInfo]) -> EngineDiff:
    """Compares what two engines tell of themselves. What neither tells counts as alike."""
    same = 0
    differences = []
    for ours, theirs in _partners(first, second):
        found = _compare(ours, theirs)
        if found is None:
            same += len(ours)
        else:
            differences.append(found)
    return EngineDiff(same, tuple(differences))


def _compare(ours: tuple[LayerInfo, ...], theirs: tuple[LayerInfo, ...]) -> LayerDifference | None:
    nodes = tuple(dict.fromkeys(n for layer in (*ours, *theirs) for n in _nodes(layer)))
    if not nodes and not (ours and theirs):
        return LayerDifference(("one-sided",), (), ours, theirs)
    aspects: list[Aspect] = []
    if sorted(map(_nodes, ours)) != sorted(map(_nodes, theirs)):
        aspects.append("fusion")
    if _types(ours) != _types(theirs):
        aspects.append("precision")
    if not aspects and sorted(_tactics(ours)) != sorted(_tactics(theirs)):
        aspects.append("tactic")  # with another fusion or type the kernel is another one anyhow
    return LayerDifference(tuple(aspects), nodes, ours, theirs) if aspects else None


def _nodes(layer: LayerInfo) -> tuple[str, ...]:
    return tuple(sorted(layer.nodes or layer.at_most))


def _types(layers: Iterable[LayerInfo]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return sorted({(tuple(sorted(x.reads)), tuple(sorted(x.writes or _told(x.precision)))) for x in layers})


def _tactics(layers: Iterable[LayerInfo]) -> Iterable[str]:
    return (x.tactic or "" for x in layers)


def _told(precision: str | None) -> tuple[str, ...]:
    return (precision,) if precision is not None else ()


def _partners(
    first: Sequence[LayerInfo], second: Sequence[LayerInfo]
) -> list[tuple[tuple[LayerInfo, ...], tuple[LayerInfo, ...]]]:
    """Layers of both sides that share a node, directly or through others; those of no node by their names."""
    groups = _Groups()
    for layer in (*first, *second):
        groups.join(_keys(layer))
    sides: dict[str, tuple[list[LayerInfo], list[LayerInfo]]] = defaultdict(lambda: ([], []))
    for side, layers in enumerate((first, second)):
        for layer in layers:
            sides[groups.of(_keys(layer)[0])][side].append(layer)
    return [(tuple(ours), tuple(theirs)) for ours, theirs in sides.values()]


def _keys(layer: LayerInfo) -> list[str]:
    return [f"node {n}" for n in _nodes(layer)] or [f"name {layer.name}"]


class _Groups:
    """Disjoint sets of keys."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def of(self, key: str) -> str:
        """The key that stands for the set of this one."""
        self._parent.setdefault(key, key)
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key

    def join(self, keys: Sequence[str]) -> None:
        """Makes one set of the sets of these keys."""
        for key in keys[1:]:
            self._parent[self.of(key)] = self.of(keys[0])
