"""What computes the same as an operator, exactly, in other operators: for those for which ONNX itself has no good body.

Each takes the node as a `Call` and gives a body for it; None where it is not exact for this node, or not known to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import onnx

from trtdebug.fixes.ladder.equivalents import bits, choice, grid, integers, matrices, quantised
from trtdebug.graph.expand import Call

Equivalent = Callable[[Call], onnx.FunctionProto | None]

TABLE: Mapping[str, Equivalent] = {
    "AffineGrid": grid.affine_grid,
    "BitwiseAnd": bits.bitwise,
    "BitwiseNot": bits.bitwise_not,
    "BitwiseOr": bits.bitwise,
    "BitwiseXor": bits.bitwise,
    "Compress": choice.compress,
    "ConvInteger": integers.conv_integer,
    "CumSum": matrices.cumsum,
    "DequantizeLinear": quantised.dequantize,
    "Det": matrices.det,
    "DynamicQuantizeLinear": quantised.dynamic_quantize,
    "Hardmax": choice.hardmax,
    "IsInf": choice.is_inf,
    "MatMulInteger": integers.matmul_integer,
    "QLinearConv": quantised.qlinear_conv,
    "QLinearMatMul": quantised.qlinear_matmul,
    "QuantizeLinear": quantised.quantize,
}
"""By operator of ONNX's own domain."""
OF_BYTES = frozenset(
    {
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
    }
    | {"QuantizeLinear"}
)
"""Operators of the table that read or write 8-bit integers: they can go only together with their neighbours."""


def equivalents(call: Call) -> Iterator[onnx.FunctionProto]:
    """The body that stands in the table."""
    body = TABLE[call.op](call) if call.op in TABLE else None
    if body is not None:
        yield body
