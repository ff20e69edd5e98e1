"""Products of 8-bit integers by products of floats: exact, since sums stay below 2^24, and longer ones are cut up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.graph.expand import BodyDraft, Call

_MOST = 2**24 // 255**2
"""So many products of two differences of 8-bit numbers add up exactly in FP32."""
_EIGHT_BITS = ("int8", "uint8")


def matmul_integer(call: Call) -> onnx.FunctionProto | None:
    """MatMul of what is left without the zero points."""
    draft = BodyDraft(call)
    total = matmul(draft, (0, 2), (1, 3))
    if total is None:
        return None
    draft.op("Identity", total, writes=draft.outputs[0])
    return draft.done()


def conv_integer(call: Call) -> onnx.FunctionProto | None:
    """Conv of what is left without the zero points."""
    draft = BodyDraft(call)
    total = conv(draft, (0, 2), (1, 3))
    if total is None:
        return None
    draft.op("Identity", total, writes=draft.outputs[0])
    return draft.done()


def matmul(draft: BodyDraft, a: tuple[int, int], b: tuple[int, int]) -> str | None:
    """The product in INT32, None where it is not exact; `a`, `b`: positions of an operand and of its zero point."""
    left, right = draft.call.shape(a[0]), draft.call.shape(b[0])
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    depth = next((n for n in (left[-1], right[-2]) if isinstance(n, int)), None)
    first = centred(draft, *a, lambda zero: zero.reshape(-1, 1))
    second = centred(draft, *b, lambda zero: zero)
    if depth is None or first is None or second is None:
        return None
    parts = [
        draft.op("MatMul", _part(draft, first, -1, low, depth), _part(draft, second, -2, low, depth))
        for low in range(0, depth or 1, _MOST)
    ]
    return _sum(draft, parts)


def conv(draft: BodyDraft, x: tuple[int, int], w: tuple[int, int]) -> str | None:
    """The convolution in INT32; as `matmul`. Channels are cut up where there is one group."""
    shape = draft.call.shape(w[0])
    sizes = [n for n in shape[1:] if isinstance(n, int)] if shape is not None else []
    if shape is None or len(sizes) != len(shape) - 1:
        return None
    image = centred(draft, *x, lambda zero: zero)
    weight = centred(draft, *w, lambda zero: zero.reshape(-1, *[1] * len(sizes)))
    channels, step = sizes[0], _MOST // math.prod(sizes[1:])
    if image is None or weight is None or step < 1:
        return None
    if step < channels and draft.call.attribute("group", 1) != 1:
        return None
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    given = {name: value for name in names if (value := draft.call.attribute(name)) is not None}
    if draft.call.attribute("group", 1) != 1 or step >= channels:
        return _sum(draft, [draft.op("Conv", image, weight, **given)])
    parts = [
        draft.op(
            "Conv",
            _part(draft, image, 1, low, channels, step),
            _part(draft, weight, 1, low, channels, step),
            **given,
        )
        for low in range(0, channels, step)
    ]
    return _sum(draft, parts)


def centred(
    draft: BodyDraft,
    position: int,
    zero: int,
    shaped: Callable[[NDArray[Any]], NDArray[Any]],
) -> str | None:
    """An operand as floats without its zero point; None where it is not of 8 bits, or a point per row is not known.

    Args:
        shaped: gives the zero points of several rows a shape that broadcasts to the operand.
    """
    call = draft.call
    if call.dtype(position) not in _EIGHT_BITS:
        return None
    value = call.value(position)
    tensor = draft.inputs[position] if value is None else ""
    if not call.has(zero):
        point: NDArray[Any] = np.zeros((), np.float32)
    else:
        known = call.value(zero)
        if known is None and call.static_shape(zero) not in ((), (1,)):
            return None
        if known is None:
            whole = (
                draft.constant(value.astype(np.float32))
                if value is not None
                else draft.cast(tensor, "float32")
            )
            return draft.op("Sub", whole, draft.cast(draft.inputs[zero], "float32"))
        point = known.astype(np.float32)
        point = point.reshape(()) if point.size == 1 else shaped(point) if point.ndim == 1 else point
    if value is not None:
        return draft.constant(value.astype(np.float32) - point)
    whole = draft.cast(tensor, "float32")
    return draft.op("Sub", whole, draft.constant(point)) if point.any() else whole


def _part(draft: BodyDraft, tensor: str, axis: int, low: int, size: int, step: int = _MOST) -> str:
    if size <= step:
        return tensor
    ends = (draft.constant(np.array([n], np.int64)) for n in (low, min(low + step, size), axis))
    return draft.op("Slice", tensor, *ends)


def _sum(draft: BodyDraft, parts: list[str]) -> str:
    total, *rest = [draft.cast(part, "int32") for part in parts]
    for part in rest:
        total = draft.op("Add", total, part)
    return total
