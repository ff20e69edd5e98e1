"""Rounding to as many digits as a low precision keeps, whatever the size of a number: its digits without its range.

By Veltkamp's splitting, in the type that the numbers have. What is not finite, or so large that the splitting
overflows, stays as it is; in a graph before opset 9 it becomes NaN.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.fresh import FreshNames

_KEPT = {"fp16": 11, "bf16": 8}
_DIGITS: Mapping[int, int] = {TensorProto.FLOAT: 24, TensorProto.DOUBLE: 53}
"""Binary digits, the leading one too."""
KEEPS_INFINITY_SINCE = 9
"""Opset with the operators that it takes to leave alone what is not finite."""


def split_nodes(
    source: str, target: str, wide: int, dtype: LowPrecision, names: FreshNames, opset: int
) -> list[onnx.NodeProto]:
    """Nodes that write into `target` what `source`, of ONNX type `wide`, is with the digits of `dtype`."""
    scaled, beyond, high, odd, factor = (
        names.fresh(f"{target}__{part}") for part in ("scaled", "beyond", "high", "odd", "factor")
    )
    number = np.asarray(_factor(wide, dtype), helper.tensor_dtype_to_np_dtype(wide))

    def step(op: str, read: list[str], written: str, **attributes: onnx.TensorProto) -> onnx.NodeProto:
        return helper.make_node(op, read, [written], names.fresh(f"{written}__node"), **attributes)

    has_where = opset >= KEEPS_INFINITY_SINCE
    steps = [
        step("Constant", [], factor, value=numpy_helper.from_array(number)),
        step("Mul", [source, factor], scaled),
        step("Sub", [scaled, source], beyond),
        step("Sub", [scaled, beyond], high if has_where else target),
    ]
    if has_where:
        steps += [step("IsNaN", [high], odd), step("Where", [odd, source, high], target)]
    return steps


def split(values: NDArray[np.generic], dtype: LowPrecision) -> NDArray[np.generic]:
    """The same of float32 or float64 numbers."""
    wide = helper.np_dtype_to_tensor_dtype(values.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values * values.dtype.type(_factor(wide, dtype))
        high = scaled - (scaled - values)
    kept: NDArray[np.generic] = np.where(np.isnan(high), values, high).astype(values.dtype)
    return kept


def _factor(wide: int, dtype: LowPrecision) -> float:
    return float(2 ** (_DIGITS[wide] - _KEPT[dtype]) + 1)
