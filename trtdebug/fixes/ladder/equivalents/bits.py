"""Bitwise operators by arithmetic on each bit; exact for INT32."""

from __future__ import annotations

import numpy as np
import onnx

from trtdebug.graph.expand import BodyDraft, Call

_OF_BITS = {"BitwiseAnd": "Min", "BitwiseOr": "Max", "BitwiseXor": "Sub"}


def bitwise(call: Call) -> onnx.FunctionProto | None:
    """And, Or and Xor of INT32: of the bits 0 to 30, and of the sign, that counts -2^31."""
    if call.dtype(0) != "int32" or call.dtype(1) != "int32":
        return None
    draft = BodyDraft(call)
    powers = draft.constant(np.int32(2) ** np.arange(31, dtype=np.int32))
    two, last = draft.constant(np.int32(2)), draft.constant(np.array([-1], np.int64))
    bits, signs = [], []
    for tensor in draft.inputs:
        wide = draft.op("Unsqueeze", tensor, last)
        # x - (x mod p) is a multiple of p, so that the quotient is exact, also of a negative x
        rounded = draft.op("Sub", wide, draft.op("Mod", wide, powers))
        bits.append(draft.op("Mod", draft.op("Div", rounded, powers), two))
        signs.append(draft.cast(draft.op("Less", tensor, draft.constant(np.int32(0))), "int32"))
    low = draft.op("ReduceSum", draft.op("Mul", _combined(draft, bits), powers), last, keepdims=0)
    high = draft.op("Mul", _combined(draft, signs), draft.constant(np.int32(-(2**31))))
    draft.op("Add", low, high, writes=draft.outputs[0])
    return draft.done()


def bitwise_not(call: Call) -> onnx.FunctionProto | None:
    """-1 - x."""
    if call.dtype(0) not in ("int32", "int64"):
        return None
    draft = BodyDraft(call)
    minus_one = draft.constant(np.array(-1, call.dtype(0)))
    draft.op("Sub", minus_one, draft.inputs[0], writes=draft.outputs[0])
    return draft.done()


def _combined(draft: BodyDraft, bits: list[str]) -> str:
    found = draft.op(_OF_BITS[draft.call.op], *bits)
    return draft.op("Abs", found) if draft.call.op == "BitwiseXor" else found
