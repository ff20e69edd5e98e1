"""Pairs whose ends do not fit each other, the layer that reads them, or TensorRT."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.graph.index import Node
from trtdebug.graph.view import GraphView
from trtdebug_quant.layers import Layer, Operand
from trtdebug_quant.pairs import Pair, zero_point
from trtdebug_quant.sides import Sides

INT32, MISMATCH, AXIS, RESIDUAL = (
    "quant-int32-bias",
    "quant-pair-mismatch",
    "quant-axis",
    "quant-residual",
)
_BY_CORE = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Whose data and, but for Gemm, whose weights the core's own check `quantise-axis` looks at."""
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_OUTPUT_AXIS = {("Conv", 1): 0, ("ConvTranspose", 1): 1, ("MatMul", 0): -2, ("MatMul", 1): -1}
"""Axis of output channels by operator and position of the weight. Where it is the first operand, they are its rows."""


def find_misplaced(models: Sides) -> Iterator[Finding]:
    """`quant-int32-bias`, `quant-pair-mismatch`, `quant-axis` (warnings) and `quant-residual` (info)."""
    for pair in models.pairs:
        yield from _int32(pair)
        yield from _mismatch(models.quantised, pair)
        yield from _misfit(models.quantised, pair)
    for layer in models.layers:
        for operand in layer.operands:
            yield from _axis(models.quantised, layer, operand)
    for node in models.quantised.index.nodes:
        yield from _residual(models.quantised, node)


def _int32(pair: Pair) -> Iterator[Finding]:
    if pair.dtype == "int32":
        yield Finding(
            INT32,
            "warning",
            f"{pair.dequantize!r} reads the INT32 bias {pair.source!r}; TensorRT's DequantizeLinear takes no INT32.",
            pair.dequantize,
            "Leave biases in float (onnxruntime: extra_options={'QuantizeBias': False}).",
        )


def _mismatch(view: GraphView, pair: Pair) -> Iterator[Finding]:
    if pair.quantize is None or pair.scale is None or pair.zero is None:
        return
    node = view.index.node(pair.quantize)
    scale, zero = view.value(node.inputs[1]), zero_point(view, node)
    if scale is None or zero is None:
        return
    if scale.size == pair.scale.size and np.array_equal(
        scale.reshape(-1), pair.scale.reshape(-1), equal_nan=True
    ):
        if np.array_equal(zero.reshape(-1), pair.zero.reshape(-1)) or not (zero.any() or pair.zero.any()):
            return
        what = "zero point"
    else:
        what = "scale"
    yield Finding(
        MISMATCH,
        "warning",
        f"{pair.quantize!r} and {pair.dequantize!r} are a pair, but have not the same {what}: every value of "
        f"{pair.source!r} comes out changed.",
        pair.dequantize,
        "Give both the same scale and zero point.",
    )


def _misfit(view: GraphView, pair: Pair) -> Iterator[Finding]:
    shape = view.shape(pair.source)
    if shape and not pair.fits(shape):
        axis = pair.axis % len(shape)
        told = f"has {pair.channels} scales along axis {axis} of {pair.source!r}, whose size there is {shape[axis]}"
        yield _off(pair, told)


def _axis(view: GraphView, layer: Layer, operand: Operand) -> Iterator[Finding]:
    pair = operand.pair
    if pair.channels < 2:
        return
    if not pair.constant:
        if not (layer.op in _BY_CORE and operand.reader == layer.node and operand.position == 0):
            yield _off(
                pair, f"feeds {layer.node!r} ({layer.op}) with a scale a channel; activations take one scale"
            )
        return
    if layer.op in _BY_CORE[:3] and operand.reader == layer.node:
        return
    rank, right = view.rank(pair.source), _output_axis(view, layer, operand)
    if rank and right is not None and pair.axis % rank != right % rank:
        yield _off(
            pair,
            f"scales the weight of {layer.node!r} ({layer.op}) along axis {pair.axis % rank}; its output channels lie "
            f"along axis {right % rank}",
        )


def _output_axis(view: GraphView, layer: Layer, operand: Operand) -> int | None:
    """Axis of the stored weight along which output channels lie; None where that is not known."""
    node, perm, position = view.index.node(layer.node), None, operand.position
    if operand.reader != layer.node:
        reader = view.index.node(operand.reader)
        if not view.is_op(reader, "Transpose"):
            return None
        position = node.inputs.index(reader.outputs[0])
        rank = view.rank(operand.pair.source)
        perm = view.attribute(reader, "perm") or (list(range(rank))[::-1] if rank else None)
        if not perm:
            return None
    if layer.op == "Gemm" and position < 2:
        transposed = view.attribute(node, ("transA", "transB")[position], 0)
        axis = position if not transposed else 1 - position
    elif (layer.op, position) in _OUTPUT_AXIS:
        axis = _OUTPUT_AXIS[layer.op, position]
    else:
        return None
    return axis if perm is None else int(perm[axis])


def _off(pair: Pair, what: str) -> Finding:
    advice = "Quantise weights per output channel, activations per tensor."
    return Finding(AXIS, "warning", f"{pair.dequantize!r} {what}.", pair.dequantize, advice)


def _residual(view: GraphView, node: Node) -> Iterator[Finding]:
    """An Add that TensorRT could fuse into an INT8 convolution, were its other input quantised."""
    if not view.is_op(node, "Add") or len(node.inputs) != 2:
        return
    for one, other in (node.inputs, node.inputs[::-1]):
        conv = view.writer(one, *_CONVOLUTIONS)
        if conv is None or view.writer(conv.inputs[0], "DequantizeLinear") is None or view.is_constant(other):
            continue
        if view.writer(other, "DequantizeLinear", *_CONVOLUTIONS) is None:
            yield Finding(
                RESIDUAL,
                "info",
                f"{node.name!r} (Add) joins the quantised {conv.name!r} ({conv.op}) with {other!r}, which is not "
                "quantised: they are not fused in INT8.",
                node.name,
                f"Put a QuantizeLinear and DequantizeLinear pair on {other!r}.",
            )
        return
