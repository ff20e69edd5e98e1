"""Det by products, CumSum by a product with a triangle of ones."""

from __future__ import annotations

import numpy as np
import onnx

from trtdebug.graph.expand import BodyDraft, Call

_LARGEST = 3
"""Side of a matrix whose determinant is a few products; beyond it their rounding grows."""
_LONGEST = 256
"""Steps of a running sum that a product does as exactly as adding one by one."""


def det(call: Call) -> onnx.FunctionProto | None:
    """Of matrices with a side of 1 to 3: the expansion along the first row."""
    shape = call.shape(0)
    if call.dtype(0) != "float32" or shape is None or len(shape) < 2:
        return None
    side = shape[-1]
    if not isinstance(side, int) or shape[-2] != side or not 1 <= side <= _LARGEST:
        return None
    draft = BodyDraft(call)
    rows = [
        draft.op("Gather", draft.inputs[0], draft.constant(np.int64(i)), axis=len(shape) - 2)
        for i in range(side)
    ]
    entries = [
        [draft.op("Gather", row, draft.constant(np.int64(j)), axis=len(shape) - 2) for j in range(side)]
        for row in rows
    ]
    draft.op("Identity", _minor(draft, entries), writes=draft.outputs[0])
    return draft.done()


def _minor(draft: BodyDraft, entries: list[list[str]]) -> str:
    first, *rest = entries
    if not rest:
        return first[0]
    total = ""
    for column, entry in enumerate(first):
        below = [[e for j, e in enumerate(row) if j != column] for row in rest]
        term = draft.op("Mul", entry, _minor(draft, below))
        total = draft.op("Sub" if column % 2 else "Add", total, term) if total else term
    return total


def cumsum(call: Call) -> onnx.FunctionProto | None:
    """Of float32, finite, along a constant axis of known, small size: 0 times Inf is NaN."""
    shape, axis = call.shape(0), call.value(1)
    if call.dtype(0) != "float32" or shape is None or axis is None or not shape:
        return None
    at = int(axis.reshape(-1)[0]) % len(shape)
    size = shape[at]
    if not isinstance(size, int) or not 1 <= size <= _LONGEST:
        return None
    ones = np.tril(np.ones((size, size), np.float32), -1 if call.attribute("exclusive", 0) else 0)
    triangle = ones.T if call.attribute("reverse", 0) else ones
    order = [i for i in range(len(shape)) if i != at] + [at]
    draft = BodyDraft(call)
    last = draft.op("Transpose", draft.inputs[0], perm=order)
    summed = draft.op("MatMul", last, draft.constant(np.ascontiguousarray(triangle.T)))
    draft.op("Transpose", summed, writes=draft.outputs[0], perm=[order.index(i) for i in range(len(shape))])
    return draft.done()
