"""Outputs whose comparison says little: constant, saturated or not finite in the reference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.finding import Finding
from trtdebug.plugins.types import CheckContext

_SATURATED = 0.9  # share of elements at one end of the range
_FEW = 10  # elements; of fewer, equal ones mean nothing


def run(context: CheckContext) -> Iterator[Finding]:
    """`reference-nonfinite`, `output-constant`, `output-saturated` for float outputs of the reference."""
    if context.reference is None:
        return
    values = context.reference(context.index.outputs)
    for name in context.index.outputs:
        if name in values and values[name].dtype.kind == "f":
            yield from _judge(name, context.index.producer.get(name, name), values[name])


def _judge(name: str, node: str, array: NDArray[np.generic]) -> Iterator[Finding]:
    wide = array.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    if finite.size < wide.size:
        yield Finding(
            "reference-nonfinite",
            "warning",
            f"Output {name!r} of the reference has {wide.size - finite.size} NaN or Inf among {wide.size}.",
            node,
            "The reference itself is in doubt: try other inputs.",
        )
    if finite.size < 2:
        return
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        yield Finding(
            "output-constant",
            "warning",
            f"Output {name!r} is {low:.6g} in all {finite.size} values (standard deviation 0): a match there "
            "shows nothing of what feeds it.",
            node,
            "Use other inputs, or compare intermediate tensors too.",
        )
        return
    for end in (low, high):
        share = float((finite == end).mean())
        if finite.size >= _FEW and share >= _SATURATED:
            yield Finding(
                "output-saturated",
                "warning",
                f"Output {name!r} is {end:.6g}, an end of its range, in {share:.0%} of {finite.size} values.",
                node,
                "Use other inputs, or compare intermediate tensors too.",
            )
