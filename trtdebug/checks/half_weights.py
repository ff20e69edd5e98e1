"""Weights that FP16 can't hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.finding import Finding, Severity
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.mapped import values_of
from trtdebug.graph.types import dtype_name
from trtdebug.plugins.types import CheckContext

_MAX = 65504.0  # largest FP16 number
_NORMAL = 2.0**-14  # smallest normal FP16 number; below it digits are lost
_BLOCK = 1 << 19  # elements: what fits a cache is faster, too
_VANISHES = 2.0**-25  # rounds to zero
_ENDS_MASK = ("Softmax", "Attention")
"""Operators for which -Inf is as good a mask as any number that is small enough."""
_LEADS_MASK = (
    *("Add", "Where", "Max", "Min", "Cast", "Concat", "Expand", "Gather", "GatherND", "Identity", "Reshape"),
    *("Slice", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze"),
)
"""Operators that make nothing but a mask of a mask. A Mul does: 0 times -Inf is NaN."""

_BIAS = {
    **dict.fromkeys(("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "GroupNormalization"), 2),
    **dict.fromkeys(("InstanceNormalization", "LayerNormalization"), 2),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), 3),
}
"""Operator -> its input that is added to what it computes."""


@dataclass(frozen=True)
class _Beyond:
    """What is wrong with a weight as a whole; of equal ones, as epsilons are, one is told."""

    rule: str
    severity: Severity
    is_what: str
    mitigation: str


@dataclass(frozen=True)
class _Extent:
    """Of the numbers of a weight that are finite and not 0.

    Attributes:
        count: how many there are.
        highest, largest: the largest one, and the largest magnitude.
        subnormal: how many are below FP16's normal numbers.
    """

    count: int
    highest: float
    largest: float
    subnormal: int


def _extent(values: NDArray[np.generic]) -> _Extent | None:
    """None where there is no such number. Looks at a block at a time: a weight may fill much of the memory."""
    flat = values.reshape(-1)
    count = subnormal = 0
    highest, largest = -math.inf, 0.0
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        block = block[np.isfinite(block) & (block != 0)]
        if block.size:
            size = np.abs(block)
            count += block.size
            highest, largest = max(highest, float(block.max())), max(largest, float(size.max()))
            subnormal += int(np.count_nonzero(size < _NORMAL))
    return _Extent(count, highest, largest, subnormal) if count else None


def run(context: CheckContext) -> Iterator[Finding]:
    """With FP16 only: `fp16-weight-overflow`, `fp16-weight-vanishes`, `fp16-weight-subnormal`, `fp16-mask-overflow`.

    The node named is the first that reads the weight. Weights of which the same is to be said count as one. Most
    trained models have some subnormal weights: those that are wholly so are named, the others counted in one finding.
    So are biases: what is lost of a small one is no more than what storing the sum in FP16 loses anyway.
    """
    if context.precision != "fp16":
        return
    wholly: dict[_Beyond, list[tuple[str, str]]] = {}
    partly: list[tuple[float, str, str]] = []
    for name, tensor in constant_tensors(context.model).items():
        readers = context.index.consumers.get(name, ())
        if not readers or dtype_name(tensor.data_type) not in ("float32", "float64"):
            continue
        extent = _extent(values_of(tensor))
        if extent is None:
            continue
        masks = extent.highest <= _MAX and _is_mask(name, context.index)
        beyond = _judge(extent.largest, masks)
        small_bias = extent.largest < _NORMAL and _is_bias(name, math.prod(tensor.dims), context.index)
        if beyond is not None and not small_bias:
            wholly.setdefault(beyond, []).append((name, readers[0]))
        elif extent.subnormal:
            partly.append((extent.subnormal / extent.count, name, readers[0]))
    for beyond, found in wholly.items():
        yield _finding(beyond, found)
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


def _finding(beyond: _Beyond, found: list[tuple[str, str]]) -> Finding:
    name, node = found[0]
    weight = "Mask" if beyond.rule == "fp16-mask-overflow" else "Weight"
    others = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    message = f"{weight} {name!r} of {node!r}{others} {beyond.is_what}"
    return Finding(beyond.rule, beyond.severity, message, node, beyond.mitigation.format(node=repr(node)))


def _is_mask(tensor: str, index: GraphIndex) -> bool:
    """Whether it is read for nothing but to be added to, or put into, what a Softmax reads."""
    seen, todo = {tensor}, [tensor]
    while todo:
        name = todo.pop()
        readers = [index.node(reader) for reader in index.consumers.get(name, ())]
        if name in index.outputs or not readers:
            return False
        for node in readers:
            if node.domain not in ("", "ai.onnx") or node.op not in (*_ENDS_MASK, *_LEADS_MASK):
                return False
            if node.op in _LEADS_MASK:
                todo += [t for t in node.writes if t not in seen]
                seen.update(node.writes)
    return True


def _is_bias(tensor: str, elements: int, index: GraphIndex) -> bool:
    """Whether it is read as a bias only. A single number that is added is an epsilon: what divides by it tells."""
    nodes = [index.node(reader) for reader in index.consumers[tensor]]
    return all(
        (node.op == "Add" and elements > 1) or tensor in node.inputs[_BIAS.get(node.op, len(node.inputs)) :]
        for node in nodes
    )


def _judge(largest: float, masks: bool) -> _Beyond | None:
    pin = "Keep {node} in FP32, or scale the weight."
    if largest > _MAX and masks:
        return _Beyond(
            "fp16-mask-overflow",
            "info",
            f"reaches -{largest:.6g}, which is -Inf in FP16: it masks as well, but a row that is masked as a whole "
            "becomes NaN.",
            "Give inputs with the padding that production has; where rows are masked as a whole, mask with -32768.",
        )
    if largest > _MAX:
        is_what = f"reaches {largest:.6g}; FP16 ends at {_MAX:.0f}."
        return _Beyond("fp16-weight-overflow", "warning", is_what, pin)
    if largest <= _VANISHES:
        is_what = f"is at most {largest:.6g} and becomes 0 in FP16."
        return _Beyond("fp16-weight-vanishes", "warning", is_what, pin)
    if largest < _NORMAL:
        is_what = f"is at most {largest:.6g}: subnormal in FP16, so it loses digits."
        return _Beyond("fp16-weight-subnormal", "info", is_what, pin)
    return None
