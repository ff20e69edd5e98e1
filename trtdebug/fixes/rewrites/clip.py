"""Clip in place of Min and Max, in either order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtdebug.graph.index import Node
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import rewrite_fix

_BOUNDS_ARE_INPUTS = 11
_TAKES_INTEGERS = 12


def find(view: GraphView) -> Iterator[Replacement]:
    """Every Min of a Max, and every Max of a Min, of two inputs each, with constant bounds of one element."""
    for outer in view.index.nodes if view.opset >= _BOUNDS_ARE_INPUTS else ():
        found = _bounds(view, outer)
        if found is not None:
            inner, x, low, high = found
            draft = Draft(view, outer.name)
            bounds = [draft.constant(name, value) for name, value in (("min", low), ("max", high))]
            draft.op("Clip", x, *bounds, to=outer.outputs[0])
            yield draft.instead_of((inner.name, outer.name))


def _bounds(view: GraphView, outer: Node) -> tuple[Node, str, np.generic, np.generic] | None:
    """The inner node, its variable input and both bounds, lower first."""
    if not view.is_op(outer, "Min", "Max"):
        return None
    middle = view.with_number(outer)
    inner = view.writer(middle[0], "Max" if outer.op == "Min" else "Min") if middle is not None else None
    split = view.with_number(inner) if inner is not None else None
    if middle is None or inner is None or split is None or not _is_clippable(view, outer.outputs[0]):
        return None
    first, second = _bound(view, inner), _bound(view, outer)
    low, high = (first, second) if outer.op == "Min" else (second, first)
    return (inner, split[0], low, high) if low <= high else None  # type: ignore[operator]


def _is_clippable(view: GraphView, tensor: str) -> bool:
    dtype = view.dtype(tensor)
    return dtype in ("float32", "float16") or (dtype in ("int32", "int64") and view.opset >= _TAKES_INTEGERS)


def _bound(view: GraphView, node: Node) -> np.generic:
    value = next(v for v in map(view.value, node.inputs) if v is not None)
    scalar: np.generic = value.reshape(-1)[0]
    return scalar


REWRITE = Rewrite("clip", "Clip in place of Min and Max", find)
FIX = rewrite_fix(REWRITE)
