"""Q/DQ pairs of a model's top-level graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtdebug.graph.index import Node
from trtdebug.graph.view import GraphView

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"

Array = NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """A DequantizeLinear, and the QuantizeLinear before it or the integers that it reads.

    Attributes:
        quantize: name of the QuantizeLinear; None where the integers stand in the model.
        source: the tensor that is quantised; without `quantize`, the integers.
        result: the float tensor that the DequantizeLinear writes.
        scale: its scale, float64, of one element or one a channel; None where it is computed.
        zero: its zero point, of the integers' type; None where it is computed.
        dtype: type of the integers.
        axis: along which the scales of channels lie.
        constant: whether it quantises a weight or a bias.
    """

    dequantize: str
    quantize: str | None
    source: str
    result: str
    scale: Array | None
    zero: Array | None
    dtype: str
    axis: int
    constant: bool

    @property
    def channels(self) -> int:
        """Number of scales; 1 where they are not known."""
        return 1 if self.scale is None else int(self.scale.size)

    @property
    def limits(self) -> tuple[int, int] | None:
        """The smallest and the largest integer; None where the type is none of integers."""
        if not self.dtype.startswith(("int", "uint")):
            return None
        bits = int(self.dtype.removeprefix("u").removeprefix("int"))
        return (0, 2**bits - 1) if self.dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    @property
    def rectifies(self) -> bool:
        """Whether it clips all that is negative, so that it may stand for a Relu."""
        if self.limits is None or self.zero is None or self.constant:
            return False
        return bool(np.all(self.zero == self.limits[0]))

    def fits(self, shape: Sequence[object] | None) -> bool:
        """Whether a tensor of this shape has as many channels as there are scales and zero points, as far as known."""
        sizes = {v.size for v in (self.scale, self.zero) if v is not None and v.size != 1}
        if not sizes or shape is None:
            return True
        channels = shape[self.axis % len(shape)] if shape else 0
        return sizes == {channels} or (len(sizes) == 1 and not isinstance(channels, int))

    def per_channel(self, values: Array, rank: int) -> Array:
        """Scales or zero points in the shape that broadcasts over a tensor of this rank."""
        if values.size == 1 or not rank:
            return values.reshape(())
        return values.reshape([-1 if axis == self.axis % rank else 1 for axis in range(rank)])


def find_pairs(view: GraphView) -> tuple[Pair, ...]:
    """All pairs, in topological order. Blocked quantisation (a scale of more than one dimension) is left out."""
    return tuple(_pairs(view))


def _pairs(view: GraphView) -> Iterator[Pair]:
    for name in view.index.order:
        node = view.index.node(name)
        if not view.is_op(node, DEQUANTIZE) or len(node.inputs) < 2:
            continue
        before = view.writer(node.inputs[0], QUANTIZE)
        stored = view.is_constant(node.inputs[0])
        if before is None and not stored:
            continue  # half a pair: the core's check names it
        scale, zero = view.value(node.inputs[1]), zero_point(view, node)
        if scale is not None and scale.ndim > 1:
            continue
        source = node.inputs[0] if before is None else before.inputs[0]
        yield Pair(
            dequantize=name,
            quantize=None if before is None else before.name,
            source=source,
            result=node.outputs[0],
            scale=None if scale is None else scale.astype(np.float64),
            zero=zero,
            dtype=_dtype(view, node, zero),
            axis=int(view.attribute(node, "axis", 1)),
            constant=view.is_constant(source),
        )


def zero_point(view: GraphView, node: Node) -> Array | None:
    """Of a QuantizeLinear or DequantizeLinear; 0 where none is given, None where it is computed."""
    if len(node.inputs) < 3 or not node.inputs[2]:
        return np.zeros((), np.int64)
    return view.value(node.inputs[2])


def dequantised(view: GraphView, pair: Pair) -> Array:
    """The float values of stored integers, or FP8 numbers: (q - zero) * scale, in the scale's type."""
    scale_name = view.index.node(pair.dequantize).inputs[1]
    integers, stored = view.value(pair.source), view.value(scale_name)
    if integers is None or stored is None or pair.zero is None:
        raise ValueError(f"{pair.dequantize} has no constant integers, scale and zero point")
    shifted = integers.astype(np.float64) - pair.per_channel(pair.zero.astype(np.float64), integers.ndim)
    with np.errstate(invalid="ignore"):  # an infinite scale has its own finding
        values: Array = shifted.astype(stored.dtype) * pair.per_channel(stored, integers.ndim)
    return values


def _dtype(view: GraphView, node: Node, zero: Array | None) -> str:
    """Of the integers that a DequantizeLinear reads; ONNX's default is uint8."""
    given = len(node.inputs) > 2 and bool(node.inputs[2])
    return view.dtype(node.inputs[0]) or (str(zero.dtype) if given and zero is not None else "uint8")
