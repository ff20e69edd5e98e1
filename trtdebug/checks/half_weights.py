"""Weights that FP16 can't hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import numpy_helper

from trtdebug.core.finding import Finding
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.types import dtype_name
from trtdebug.plugins.types import CheckContext

_MAX = 65504.0  # largest FP16 number
_NORMAL = 2.0**-14  # smallest normal FP16 number; below it digits are lost
_VANISHES = 2.0**-25  # rounds to zero


def run(context: CheckContext) -> Iterator[Finding]:
    """With FP16 only: `fp16-weight-overflow`, `fp16-weight-vanishes`, `fp16-weight-subnormal`.

    The node named is the first that reads the weight. Most trained models have some subnormal weights: those
    that are wholly so are named, the others are counted in one finding.
    """
    if context.precision != "fp16":
        return
    partly: list[tuple[float, str, str]] = []
    for name, tensor in constant_tensors(context.model).items():
        readers = context.index.consumers.get(name, ())
        if not readers or dtype_name(tensor.data_type) not in ("float32", "float64"):
            continue
        size = np.abs(numpy_helper.to_array(tensor))
        size = size[np.isfinite(size) & (size > 0)]
        if not size.size:
            continue
        yield from _judge(name, float(size.max()), readers[0])
        if float(size.min()) < _NORMAL <= float(size.max()):
            partly.append((float((size < _NORMAL).mean()), name, readers[0]))
    if partly:
        share, name, node = max(partly)
        weights = f"{len(partly)} weights have" if len(partly) > 1 else "1 weight has"
        yield Finding(
            "fp16-weight-subnormal",
            "info",
            f"{weights} values below {_NORMAL:.3g}, which lose digits in FP16; most so "
            f"{name!r} of {node!r}: {share:.2%}.",
            node,
            "Mostly harmless; where the outputs are wrong, scale these weights or keep their nodes in FP32.",
        )


def _judge(name: str, largest: float, node: str) -> Iterator[Finding]:
    pin = f"Keep {node!r} in FP32, or scale the weight."
    weight = f"Weight {name!r} of {node!r}"
    if largest > _MAX:
        message = f"{weight} reaches {largest:.6g}; FP16 ends at {_MAX:.0f}."
        yield Finding("fp16-weight-overflow", "warning", message, node, pin)
    elif largest <= _VANISHES:
        message = f"{weight} is at most {largest:.6g} and becomes 0 in FP16."
        yield Finding("fp16-weight-vanishes", "warning", message, node, pin)
    elif largest < _NORMAL:
        message = f"{weight} is at most {largest:.6g}: subnormal in FP16, so it loses digits."
        yield Finding("fp16-weight-subnormal", "info", message, node, pin)
