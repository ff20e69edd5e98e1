"""INT64 constants narrowed to INT32 where the operator that reads them takes either, and its result stays the same.

Indices of Gather and bounds of Slice. What ONNX wants in INT64 (shapes, axes, repeats) is left alone, and so is a
number that does not fit; but a Slice "to the end" is one to the largest INT32, too, and another bound beyond INT32 is
the number before that. A whole exponent of Pow takes the type of the base: TensorRT 8.6 does not build a Pow of two
types.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trtdebug.graph.index import Node
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import rewrite_fix, where_it_fails

_INT32, _INT64 = np.iinfo(np.int32), np.iinfo(np.int64)
_TAKES_EITHER = {"Gather": (1,), "GatherElements": (1,), "Slice": (1, 2, 3, 4)}
"""Operator -> inputs that may be of INT32 or INT64; those of one node have the same type."""
_SLICE_BY_INPUTS = 10
_BOUNDS = (1, 2)
"""Inputs of a Slice of which it is only asked what lies between them and the tensor's ends; axes and steps are not."""
_EXACT = {"float16": 2.0**11, "float32": 2.0**24}
"""Base of a Pow -> up to here every whole number is one of its type."""

_Constants = dict[int, NDArray[np.generic]]


def find(view: GraphView) -> Iterator[Replacement]:
    """Every node all of whose inputs of that kind are constants that fit."""
    for node in view.index.nodes:
        narrowed: _Constants = {}
        if view.is_op(node, "Pow"):
            narrowed = _exponent(view, node)
        elif view.is_op(node, *_TAKES_EITHER) and (node.op != "Slice" or view.opset >= _SLICE_BY_INPUTS):
            narrowed = _narrowed(view, node)
        if narrowed:
            draft = Draft(view, node.name)
            draft.again(node, {i: draft.constant(f"input_{i}", value) for i, value in narrowed.items()})
            yield draft.instead_of((node.name,))


def _exponent(view: GraphView, node: Node) -> _Constants:
    """The exponent in the type of the base; empty where it is none of whole numbers, or does not fit."""
    base, value = view.dtype(node.inputs[0]) or "", view.value(node.inputs[1])
    if value is None or value.dtype.kind not in "iu" or base not in _EXACT:
        return {}
    return {1: value.astype(base)} if np.abs(value.astype(np.float64)).max(initial=0) <= _EXACT[base] else {}


def _narrowed(view: GraphView, node: Node) -> _Constants:
    """New values by input; empty where not all can be narrowed."""
    positions = [i for i in _TAKES_EITHER[node.op] if i < len(node.inputs) and node.inputs[i]]
    values: _Constants = {}
    for position in positions:
        value = view.value(node.inputs[position])
        if value is None or value.dtype != np.int64:
            return {}
        if node.op == "Slice" and position in _BOUNDS:
            value = _bounds(value)
        if value.size and not (_INT32.min <= value.min() and value.max() <= _INT32.max):
            return {}
        values[position] = value.astype(np.int32)
    return values


def _bounds(value: NDArray[np.generic]) -> NDArray[np.generic]:
    """Starts or ends. The largest number of a type means "to the end", in either direction: no other becomes it."""
    beyond = np.greater(value, _INT32.max) & np.less(value, _INT64.max)
    return np.where(beyond, _INT32.max - 1, value.clip(_INT32.min, _INT32.max))


REWRITE = Rewrite("narrow-int64", "INT64 constants narrowed", find)
FIX = rewrite_fix(REWRITE, where_it_fails)
