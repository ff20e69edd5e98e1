"""Whole numbers that pass through 8 bits between floats, left as floats: TensorRT computes with no UINT8."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from trtdebug.graph.index import Node
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite, apply
from trtdebug.graph.view import GraphView

_RANGE = {"uint8": (0, 255), "int8": (-128, 127)}
_PASSES = ("Add", "Sub", "Identity", "Reshape", "Transpose", "Clip", "Round", "Floor", "Ceil")
"""Operators that make whole numbers of whole numbers."""


def find(view: GraphView) -> Iterator[Replacement]:
    """Every Cast to floats of a Cast from such, where these are whole and in the range of the type between."""
    for back in view.index.nodes:
        there = view.writer(back.inputs[0], "Cast") if view.is_op(back, "Cast") else None
        if there is not None and _keeps(view, there, back):
            yield Draft(view, back.name).instead_of((back.name,), {back.outputs[0]: there.inputs[0]})


def _keeps(view: GraphView, there: Node, back: Node) -> bool:
    clip = view.writer(there.inputs[0], "Clip", "Round")
    bounds = view.writer(clip.inputs[0], "Clip") if clip is not None and clip.op == "Round" else clip
    low, high = _RANGE.get(view.dtype(there.outputs[0]) or "", (1, 0))
    if bounds is None or len(bounds.inputs) < 3 or view.dtype(back.outputs[0]) != view.dtype(there.inputs[0]):
        return False
    ends = [view.number(tensor) for tensor in bounds.inputs[1:]]
    within = all(end is not None and low <= end <= high for end in ends)
    return within and _is_whole(view, there.inputs[0])


def _is_whole(view: GraphView, tensor: str) -> bool:
    number = view.value(tensor)
    if number is not None:
        return bool((number == number.round()).all())
    node = view.writer(tensor)
    if node is None:
        return False
    if node.op == "Cast":
        return (view.dtype(node.inputs[0]) or "").startswith(("int", "uint", "bool"))
    if node.op in ("Round", "Floor", "Ceil"):
        return True
    numbers = node.inputs[:1] if node.op in ("Reshape", "Transpose") else node.inputs
    return node.op in _PASSES and all(_is_whole(view, t) for t in numbers if t)


REWRITE = Rewrite("bytes", "8-bit numbers between floats left as floats", find)


def without_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model rewritten so wherever that is possible; itself where it is nowhere."""
    return apply(REWRITE, model) or model
