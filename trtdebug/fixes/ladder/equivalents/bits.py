"""Bitwise operators by arithmetic on each bit; exact for INT32, also where a quotient of INT32 is one of FP32.

TensorRT 8.6 gives what follows from that: low bits of large numbers are lost in Div and Mod. Here one such quotient is
taken, by 2^16, and what rounding does to it is undone; all others are of 16 bits.
"""

from __future__ import annotations

import numpy as np
import onnx

from trtdebug.graph.expand import BodyDraft, Call

_OF_BITS = {"BitwiseAnd": "Min", "BitwiseOr": "Max", "BitwiseXor": "Sub"}
_HALF = 16
"""Bits of each half."""


def bitwise(call: Call) -> onnx.FunctionProto | None:
    """And, Or and Xor of INT32: of the sign, that counts -2^31, of the bits 16 to 30, and of the bits 0 to 15."""
    if call.dtype(0) != "int32" or call.dtype(1) != "int32":
        return None
    draft = BodyDraft(call)
    (sign, high, low), (sign_2, high_2, low_2) = (_parts(draft, tensor) for tensor in draft.inputs)
    signed = draft.op("Mul", _combined(draft, sign, sign_2), draft.constant(np.int32(-(2**31))))
    high = draft.op("Mul", _joined(draft, high, high_2), draft.constant(np.int32(2**_HALF)))
    unsigned = draft.op("Add", high, _joined(draft, low, low_2))
    draft.op("Add", unsigned, signed, writes=draft.outputs[0])
    return draft.done()


def bitwise_not(call: Call) -> onnx.FunctionProto | None:
    """-1 - x."""
    if call.dtype(0) not in ("int32", "int64"):
        return None
    draft = BodyDraft(call)
    minus_one = draft.constant(np.array(-1, call.dtype(0)))
    draft.op("Sub", minus_one, draft.inputs[0], writes=draft.outputs[0])
    return draft.done()


def _parts(draft: BodyDraft, tensor: str) -> tuple[str, str, str]:
    """The sign (0 or 1), the bits 16 to 30 as a number, and the bits 0 to 15 as one."""
    zero, half = draft.constant(np.int32(0)), draft.constant(np.int32(2**_HALF))
    sign = draft.cast(draft.op("Less", tensor, zero), "int32")
    rest = draft.op("Sub", tensor, draft.op("Mul", sign, draft.constant(np.int32(-(2**31)))))
    # rounding may make the quotient one too large: 2^15 then has no product in INT32, any other a negative remainder
    most = draft.constant(np.int32(2 ** (31 - _HALF) - 1))
    high = draft.op("Min", draft.op("Div", rest, half), most)
    low = draft.op("Sub", rest, draft.op("Mul", high, half))
    over = draft.cast(draft.op("Less", low, zero), "int32")
    return sign, draft.op("Sub", high, over), draft.op("Add", low, draft.op("Mul", over, half))


def _joined(draft: BodyDraft, *halves: str) -> str:
    """The number whose bits are those of two numbers of 16 bits, combined."""
    powers = draft.constant(np.int32(2) ** np.arange(_HALF, dtype=np.int32))
    two, last = draft.constant(np.int32(2)), draft.constant(np.array([-1], np.int64))
    bits = []
    for half in halves:
        shifted = draft.op("Div", draft.op("Unsqueeze", half, last), powers)
        bits.append(draft.op("Sub", shifted, draft.op("Mul", draft.op("Div", shifted, two), two)))
    return draft.op("ReduceSum", draft.op("Mul", _combined(draft, *bits), powers), last, keepdims=0)


def _combined(draft: BodyDraft, *bits: str) -> str:
    found = draft.op(_OF_BITS[draft.call.op], *bits)
    return draft.op("Abs", found) if draft.call.op == "BitwiseXor" else found
