"""What picks elements: Compress, Hardmax, IsInf."""

from __future__ import annotations

import numpy as np
import onnx

from trtdebug.graph.expand import BodyDraft, Call

_SOFTMAX_ALONG_ONE_AXIS = 13


def compress(call: Call) -> onnx.FunctionProto | None:
    """Gather, where what is kept stands in the model."""
    condition, axis = call.value(1), call.attribute("axis")
    if condition is None:
        return None
    draft = BodyDraft(call)
    kept = draft.constant(np.flatnonzero(condition).astype(np.int64))
    data = draft.inputs[0]
    if axis is None:
        data = draft.op("Reshape", data, draft.constant(np.array([-1], np.int64)))
    draft.op("Gather", data, kept, writes=draft.outputs[0], axis=axis or 0)
    return draft.done()


def hardmax(call: Call) -> onnx.FunctionProto | None:
    """One at the first largest element along the axis."""
    shape = call.shape(0)
    if call.opset < _SOFTMAX_ALONG_ONE_AXIS or call.dtype(0) != "float32" or not shape:
        return None
    axis = call.attribute("axis", -1) % len(shape)
    size = shape[axis]
    if not isinstance(size, int):
        return None
    draft = BodyDraft(call)
    numbers = draft.constant(np.arange(size, dtype=np.int64).reshape([-1] + [1] * (len(shape) - 1 - axis)))
    largest = draft.op("ArgMax", draft.inputs[0], axis=axis, keepdims=1)
    draft.cast(draft.op("Equal", numbers, largest), "float32", writes=draft.outputs[0])
    return draft.done()


def is_inf(call: Call) -> onnx.FunctionProto | None:
    """Equal to infinity."""
    if call.dtype(0) != "float32":
        return None
    draft = BodyDraft(call)
    signs = [
        sign
        for sign, name in ((np.float32(np.inf), "detect_positive"), (np.float32(-np.inf), "detect_negative"))
        if call.attribute(name, 1)
    ]
    if not signs:
        return None
    found = [draft.op("Equal", draft.inputs[0], draft.constant(sign)) for sign in signs]
    kind = "Or" if len(found) == 2 else "Identity"
    draft.op(kind, *found, writes=draft.outputs[0])
    return draft.done()
