"""The check `layernorm-overflow`: measures decomposed norms against the FP16 range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.graph.index import GraphIndex
from trtdebug.plugins.types import CheckContext, Tensor
from trtdebug_layernorm.pattern import Norm, find_norms

ID = "layernorm-overflow"
FP16_MAX = 65504.0
NEAR = FP16_MAX / 8


def find_overflows(context: CheckContext) -> Iterator[Finding]:
    """One finding a norm beyond the FP16 range or near it; nothing unless the precision is FP16."""
    if context.precision != "fp16":
        return
    norms = find_norms(context.model, context.index)
    if not norms:
        return
    if context.reference is None:
        yield Finding(
            ID,
            "info",
            f"{len(norms)} decomposed norms; whether they fit FP16 is unknown without reference values.",
            mitigation="Give inputs that a reference can run on.",
        )
        return
    values = context.reference(sorted({t for norm in norms for t in _tensors(norm, context.index)}))
    maxima = _maxima(values)
    for norm in norms:
        yield from _judge(norm, context.index, maxima)


def _judge(norm: Norm, index: GraphIndex, maxima: Mapping[str, float]) -> Iterator[Finding]:
    # A node is judged by what it reads and writes: FP16 loses the value at either end.
    peaks = {name: max(maxima[tensor] for tensor in _touched(norm, index, name)) for name in norm.nodes}
    peak = max(peaks.values())
    if not peak > NEAR:
        return
    beyond = peak > FP16_MAX
    named = [name for name, value in peaks.items() if value > (FP16_MAX if beyond else NEAR)]
    if beyond:
        said = f"values up to {peak:.4g} pass the FP16 range (65504)"
    else:
        said = f"values up to {peak:.4g} come near the FP16 range (65504)"
    yield Finding(
        ID,
        "error" if beyond else "warning",
        f"{norm.kind}: {said} at {', '.join(named)}.",
        node=named[0],
        mitigation=f"Pin to FP32: {', '.join(norm.nodes)}.",
    )


def _tensors(norm: Norm, index: GraphIndex) -> set[str]:
    return {tensor for name in norm.nodes for tensor in _touched(norm, index, name)}


def _touched(norm: Norm, index: GraphIndex, name: str) -> tuple[str, ...]:
    """What the node reads from within the norm, and what it writes; the square's own input too."""
    inside = {tensor for other in norm.nodes for tensor in index.node(other).writes} | {norm.squared}
    node = index.node(name)
    return tuple(t for t in (*node.reads, *node.writes) if t in inside)


def _maxima(values: Mapping[str, Tensor]) -> dict[str, float]:
    """max |x| of each tensor; Inf and NaN count as beyond every range."""
    maxima = {}
    for name, value in values.items():
        array = np.abs(np.asarray(value, dtype=np.float64))
        peak = float(array.max()) if array.size else 0.0
        maxima[name] = float("inf") if np.isnan(peak) else peak
    return maxima
