"""Quantisation and quantised products by floats: whole numbers, rounded and clipped as ONNX says."""

from __future__ import annotations

import numpy as np
import onnx

from trtdebug.fixes.ladder.equivalents import integers
from trtdebug.graph.expand import BodyDraft, Call

_RANGE = {"int8": (-128, 127), "uint8": (0, 255)}


def quantize(call: Call) -> onnx.FunctionProto | None:
    """Round(x / scale) + zero point, clipped."""
    dtype = call.dtype(2) or "uint8"
    draft = BodyDraft(call)
    scale, zero = _along_axis(draft, 1), _along_axis(draft, 2)
    if call.dtype(0) != "float32" or dtype not in _RANGE or scale is None or zero is None:
        return None
    _stored(draft, draft.op("Div", draft.inputs[0], scale), zero, dtype, draft.outputs[0])
    return draft.done()


def dequantize(call: Call) -> onnx.FunctionProto | None:
    """(x - zero point) * scale."""
    draft = BodyDraft(call)
    scale, zero = _along_axis(draft, 1), _along_axis(draft, 2)
    if call.dtype(0) not in _RANGE or call.dtype(1) != "float32" or scale is None or zero is None:
        return None
    whole = draft.cast(draft.inputs[0], "float32")
    draft.op("Mul", draft.op("Sub", whole, zero) if zero else whole, scale, writes=draft.outputs[0])
    return draft.done()


def dynamic_quantize(call: Call) -> onnx.FunctionProto | None:
    """As the operator's own body; that one quantises to UINT8 by an operator, too, and divides 0 by 0 for zeros."""
    if call.dtype(0) != "float32":
        return None
    draft = BodyDraft(call)
    x, zero, most = draft.inputs[0], draft.constant(np.float32(0)), draft.constant(np.float32(255))
    low = draft.op("Min", draft.op("ReduceMin", x, keepdims=0), zero)
    high = draft.op("Max", draft.op("ReduceMax", x, keepdims=0), zero)
    span = draft.op("Sub", high, low)
    whole = draft.op("Where", draft.op("Equal", span, zero), most, span)
    scale = draft.op("Div", whole, most, writes=draft.outputs[1])
    shifted = draft.op("Sub", zero, draft.op("Div", low, scale))
    point = draft.op("Round", draft.op("Clip", shifted, zero, most))
    draft.cast(point, "uint8", writes=draft.outputs[2])
    _stored(draft, draft.op("Div", x, scale), point, "uint8", draft.outputs[0])
    return draft.done()


def qlinear_matmul(call: Call) -> onnx.FunctionProto | None:
    """The exact product of integers, scaled, rounded and clipped."""
    draft = BodyDraft(call)
    if any(call.static_shape(i) not in ((), (1,)) for i in (1, 6)):
        return None
    return _scaled(draft, integers.matmul(draft, (0, 2), (3, 5)), draft.inputs[4])


def qlinear_conv(call: Call) -> onnx.FunctionProto | None:
    """The exact convolution of integers with its bias, scaled, rounded and clipped."""
    draft = BodyDraft(call)
    scales, shape = call.value(4), call.shape(3)
    if scales is None or shape is None or any(call.static_shape(i) not in ((), (1,)) for i in (1, 6)):
        return None
    rows = [-1, *[1] * (len(shape) - 2)]
    total = integers.conv(draft, (0, 2), (3, 5))
    if total is not None and call.has(8):
        total = draft.op(
            "Add", total, draft.op("Reshape", draft.inputs[8], draft.constant(np.array(rows, np.int64)))
        )
    return _scaled(
        draft, total, draft.constant(scales.reshape(rows) if scales.size > 1 else scales.reshape(()))
    )


def _scaled(draft: BodyDraft, total: str | None, scale: str) -> onnx.FunctionProto | None:
    """A quantised product: the sum of integers (None: not to be had) with scales of both operands and of the result."""
    dtype = draft.call.dtype(7) or ""
    if total is None or dtype not in _RANGE or draft.call.static_shape(7) not in ((), (1,)):
        return None
    both = draft.op("Mul", draft.inputs[1], scale)
    ratio = draft.op("Div", both, draft.inputs[6])
    scaled = draft.op("Mul", draft.cast(total, "float32"), ratio)
    known = draft.call.value(7)
    zero = (
        draft.cast(draft.inputs[7], "float32") if known is None else draft.constant(known.astype(np.float32))
    )
    _stored(draft, scaled, zero, dtype, draft.outputs[0])
    return draft.done()


def _stored(draft: BodyDraft, real: str, zero: str, dtype: str, writes: str) -> None:
    """Rounded, moved by the zero point ("" = 0), clipped to the type, and stored as that."""
    whole = draft.op("Round", real)
    moved = draft.op("Add", whole, zero) if zero else whole
    ends = (draft.constant(np.float32(end)) for end in _RANGE[dtype])
    draft.cast(draft.op("Clip", moved, *ends), dtype, writes=writes)


def _along_axis(draft: BodyDraft, position: int) -> str | None:
    """A scale or zero point as floats that broadcast to the input; "" where it is not given, None if unusual."""
    call, rank = draft.call, len(draft.call.shape(0) or ())
    if not call.has(position):
        return ""
    known, shape = call.value(position), call.static_shape(position)
    if known is not None and known.size != 1:
        axis = call.attribute("axis", 1)
        if known.ndim != 1 or call.attribute("block_size", 0) or not rank:
            return None
        return draft.constant(known.astype(np.float32).reshape([-1] + [1] * (rank - 1 - axis % rank)))
    if known is not None:
        return draft.constant(known.astype(np.float32).reshape(()))
    return draft.cast(draft.inputs[position], "float32") if shape in ((), (1,)) else None
