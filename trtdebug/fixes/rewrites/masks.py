"""Masks beyond FP16 before a Softmax: -1e9 or -3.4e38 is -Inf there, and a row of nothing else is NaN.

All become Where(mask, -32768, scores). What is masked is exp(-32768 + ...) = 0 beside anything that is not, as before.
A row that is masked as a whole is even, as before: beside such a number the scores are lost. Equal as long as the
scores are small against that number and lie within 30000 of each other; the run of the reference tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trtdebug.graph.index import Node
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import rewrite_fix

_FP16_MAX = 65504.0
_LOSES_SCORES = 1e9
"""Beside a number of this size FP32 has no digits for scores: its next neighbour is 64 away."""
_MASKED = np.float32(-32768)
"""Exact in FP16, and far enough from its end that no score takes it over."""
_LARGEST_BIAS = 1024.0
"""What is not masked may have a bias up to this."""
_OPSET = 9  # of Where


def find(view: GraphView) -> Iterator[Replacement]:
    """Where(mask, number, scores) and Add(scores, mask) that Softmax alone reads; the mask constant or of bools."""
    for node in view.index.nodes if view.opset >= _OPSET else ():
        readers = view.readers(node.outputs[0]) if view.is_op(node, "Where", "Add") else ()
        if not readers or not all(view.is_op(reader, "Softmax") for reader in readers):
            continue
        if view.dtype(node.outputs[0]) == "float32" and node.outputs[0] not in view.index.outputs:
            yield from _filled(view, node) if node.op == "Where" else _added(view, node)


def _filled(view: GraphView, where: Node) -> Iterator[Replacement]:
    for position in (1, 2):
        number = view.number(where.inputs[position])
        rank = view.rank(where.inputs[position])
        if number is None or rank is None or view.is_constant(where.inputs[3 - position]):
            continue
        if -np.inf < number < -_FP16_MAX:
            draft = Draft(view, where.name)
            draft.again(where, {position: draft.constant("masked", np.full((1,) * rank, _MASKED))})
            yield draft.instead_of((where.name,))


def _added(view: GraphView, add: Node) -> Iterator[Replacement]:
    for scores, mask in (add.inputs, add.inputs[::-1]):
        if not view.is_constant(scores):
            yield from _constant_mask(view, add, scores, mask)
            flags = _flags(view, mask)
            if flags is not None:
                draft = Draft(view, add.name)
                masked = draft.constant("masked", _MASKED)
                order = (masked, scores) if flags.masked_if else (scores, masked)
                draft.op("Where", flags.tensor, *order, to=add.outputs[0])
                yield draft.instead_of((add.name,), about=flags.nodes)


def _constant_mask(view: GraphView, add: Node, scores: str, mask: str) -> Iterator[Replacement]:
    """One number for all that is masked, and a small bias or none for the rest."""
    value = view.value(mask)
    if value is None or value.dtype != np.float32 or not np.isfinite(value).all():
        return
    masked = value <= -_LOSES_SCORES
    kept = np.where(masked, np.float32(0), value)
    if not masked.any() or len(np.unique(value[masked])) != 1 or np.abs(kept).max() > _LARGEST_BIAS:
        return
    draft = Draft(view, add.name)
    if kept.any():
        scores = draft.op("Add", scores, draft.constant("bias", kept))
    flags, number = draft.constant("mask", masked), draft.constant("masked", _MASKED)
    draft.op("Where", flags, number, scores, to=add.outputs[0])
    yield draft.instead_of((add.name,))


@dataclass(frozen=True)
class _Flags:
    """A bool tensor that says what is masked, or what is not; `nodes` make the mask of it."""

    tensor: str
    masked_if: bool
    nodes: tuple[str, ...]


def _flags(view: GraphView, mask: str) -> _Flags | None:
    """The bools b behind number * Cast(b), number * (1 - Cast(b)), Where(b, number, 0) and Where(b, 0, number)."""
    node = view.writer(mask, "Mul", "Where")
    if node is None:
        return None
    if node.op == "Where":
        first, second = (view.number(tensor) for tensor in node.inputs[1:])
        if first is None or second is None or 0 not in (first, second) or not _is_mask(min(first, second)):
            return None
        return (
            _Flags(node.inputs[0], first < second, (node.name,))
            if _is_scalar(view, *node.inputs[1:])
            else None
        )
    split = view.with_number(node)
    if split is None or not _is_mask(split[1]):
        return None
    flipped = view.writer(split[0], "Sub")
    if flipped is not None and (
        view.number(flipped.inputs[0]) != 1 or not _is_scalar(view, flipped.inputs[0])
    ):
        return None
    cast = view.writer(flipped.inputs[1] if flipped is not None else split[0], "Cast")
    if cast is None or view.dtype(cast.inputs[0]) != "bool":
        return None
    nodes = (node.name, cast.name) if flipped is None else (node.name, flipped.name, cast.name)
    return _Flags(cast.inputs[0], flipped is None, nodes)


def _is_mask(number: float) -> bool:
    return -np.inf < number <= -_LOSES_SCORES


def _is_scalar(view: GraphView, *tensors: str) -> bool:
    return all(view.rank(tensor) == 0 for tensor in tensors)


REWRITE = Rewrite("masks", "masks within FP16's range before a Softmax", find)
FIX = rewrite_fix(REWRITE)
