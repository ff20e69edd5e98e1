"""Q/DQ pairs that TensorRT does not take, or that leave a layer in floating point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from trtdebug.checks.built import built_model
from trtdebug.core.finding import Finding
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.mapped import values_of
from trtdebug.graph.types import dtype_name
from trtdebug.plugins.types import CheckContext

_ONNX = ("", "ai.onnx")
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_ON_INTEGERS = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul")
_MOVES = ("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity")
"""Operators that TensorRT moves a DequantizeLinear behind: they give on what they read."""
_CHANNELS = {"Conv": 0, "ConvTranspose": 1, "MatMul": -1}
"""Axis of the weight along which output channels lie."""
_WEIGHT_FIRST = {"MatMul": -2, "Gemm": None}
"""The same of a constant first operand, which is the weight then; None: it is not looked at."""
_SYMMETRIC = "Quantise symmetrically to INT8 (onnxruntime: activation_type=QInt8, ActivationSymmetric=True)."
_FLOAT4E2M1 = 23
"""`onnx.TensorProto` has it from ONNX 1.18 on."""
_FOR_WEIGHTS_ALONE = (onnx.TensorProto.INT4, onnx.TensorProto.UINT4, _FLOAT4E2M1)
"""Types in which a weight may be stored whose layer computes in floating point."""


@dataclass(frozen=True)
class _Model:
    index: GraphIndex
    constants: dict[str, onnx.TensorProto]
    axes: dict[str, int]
    """Attribute `axis` by node, 1 where it is not given, as in ONNX."""
    output_dtypes: dict[str, int]
    """Attribute `output_dtype` by node, 0 where it is not given."""

    def producer(self, tensor: str) -> Node | None:
        name = self.index.producer.get(tensor)
        return self.index.node(name) if name is not None else None

    def values(self, tensor: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None:
        proto = self.constants.get(tensor)
        return values_of(proto) if proto is not None else None


def run(context: CheckContext) -> Iterator[Finding]:
    """`quantise-operator`, `-zero-point`, `-unsigned`, `-scale`, `-alone`, `-one-side` and `-axis`."""
    built = built_model(context)
    if built is None:
        return
    proto, index = built
    axes = _attribute(proto, index, "axis", 1)
    output_dtypes = _attribute(proto, index, "output_dtype", 0)
    model = _Model(index, constant_tensors(proto), axes, output_dtypes)
    yield from _on_integers(index)
    for node in index.nodes:
        if node.domain not in _ONNX or len(node.inputs) < 2 or not node.outputs:
            continue  # not an operator of ONNX, or not a whole one
        if node.op in (_Q, _DQ):
            yield from _parameters(model, node)
            yield from _partner(model, node)
        elif node.op in (*_CHANNELS, "Gemm"):
            yield from _operands(model, node)


def _on_integers(index: GraphIndex) -> Iterator[Finding]:
    """One finding for each kind of operator that quantises at run time, or computes with the integers themselves."""
    for op in _ON_INTEGERS:
        nodes = [n.name for n in index.nodes if n.op == op and n.domain in _ONNX]
        if nodes:
            others = f", as are {len(nodes) - 1} more" if nodes[1:] else ""
            yield Finding(
                "quantise-operator",
                "warning",
                f"{nodes[0]!r} is a {op}{others}: TensorRT's parser has no such operator.",
                nodes[0],
                "Quantise statically, with pairs of QuantizeLinear and DequantizeLinear (onnxruntime: "
                "quantize_static, quant_format=QuantFormat.QDQ).",
            )


def _attribute(proto: onnx.ModelProto, index: GraphIndex, name: str, default: int) -> dict[str, int]:
    """This attribute by node, `default` where it is not given."""
    named = zip(index.nodes, proto.graph.node, strict=True)
    return {node.name: next((a.i for a in n.attribute if a.name == name), default) for node, n in named}


def _parameters(model: _Model, node: Node) -> Iterator[Finding]:
    zero = node.inputs[2] if len(node.inputs) > 2 else ""
    proto, values = model.constants.get(zero), model.values(zero)
    if values is not None and np.any(values.astype(np.float64) != 0):
        kind = dtype_name(proto.data_type) if proto is not None else ""
        yield Finding(
            "quantise-zero-point",
            "warning",
            f"{node.name!r} ({node.op}) has a {kind} zero point other than 0; TensorRT's quantisation is symmetric.",
            node.name,
            _SYMMETRIC,
        )
    elif node.op == _Q and _written(model, node, proto) == onnx.TensorProto.UINT8:
        yield Finding(
            "quantise-unsigned",
            "warning",
            f"{node.name!r} ({node.op}) writes UINT8, for which TensorRT takes INT8: what is beyond 127 times the "
            "scale is clipped, what is negative is not.",
            node.name,
            _SYMMETRIC,
        )
    scale, maker = model.values(node.inputs[1]), model.producer(node.inputs[1])
    if maker is not None and maker.op == _DQ:
        return  # scales of blocks may be quantised themselves
    if scale is None or not np.all(scale.astype(np.float64) > 0):
        what = "computed at run time" if scale is None else "not positive"
        yield Finding(
            "quantise-scale",
            "warning",
            f"The scale of {node.name!r} ({node.op}) is {what}; TensorRT wants a positive constant.",
            node.name,
            "Export with constant scales; dynamic quantisation (DynamicQuantizeLinear) does not build.",
        )


def _written(model: _Model, quantize: Node, zero: onnx.TensorProto | None) -> int | None:
    """Type of the integers; None where the zero point, which says it, is not constant."""
    if any(quantize.inputs[2:]):
        return zero.data_type if zero is not None else None
    return model.output_dtypes[quantize.name] or onnx.TensorProto.UINT8


def _partner(model: _Model, node: Node) -> Iterator[Finding]:
    if node.op == _Q:
        readers = [model.index.node(n) for n in model.index.consumers.get(node.outputs[0], ())]
        other = next((r for r in readers if r.op != _DQ), None)
        if other is None and node.outputs[0] not in model.index.outputs:
            return
        where = f"{other.name!r} ({other.op}) reads" if other else "the graph's output is"
        yield Finding(
            "quantise-alone",
            "warning",
            f"{where} the integers that {node.name!r} (QuantizeLinear) writes, without a DequantizeLinear between.",
            node.name,
            "Put a DequantizeLinear of the same scale behind it: TensorRT fuses pairs, and only these.",
        )
    elif node.inputs[0] not in model.constants:
        before = model.producer(node.inputs[0])
        if before is None or (before.op != _Q and before.domain in _ONNX):
            yield Finding(
                "quantise-alone",
                "warning",
                f"{node.name!r} (DequantizeLinear) reads {node.inputs[0]!r}, which no QuantizeLinear writes.",
                node.name,
                "Put a QuantizeLinear of the same scale before it.",
            )


def _operands(model: _Model, node: Node) -> Iterator[Finding]:
    data, weight = (model.producer(t) for t in node.inputs[:2])
    pairs = [_dequantize(model, p) for p in (data, weight)]
    weights_alone = pairs[0] is None and pairs[1] is not None and _is_for_weights_alone(model, pairs[1])
    if (pairs[0] is None) != (pairs[1] is None) and not weights_alone:
        operand = node.inputs[pairs.index(None)]
        yield Finding(
            "quantise-one-side",
            "warning",
            f"{node.name!r} ({node.op}) reads one quantised operand, but {operand!r} is not: it does not "
            "compute in 8 bits.",
            node.name,
            f"Put a QuantizeLinear and DequantizeLinear pair on {operand!r}, or none on the other one.",
        )
    first = data is not None and data.op == _DQ and node.op in _WEIGHT_FIRST and _rank(model, data) > 0
    if first:
        yield from _weight(model, node, data, _WEIGHT_FIRST[node.op])
    elif data is not None and data.op == _DQ and _channels(model, data) > 1:
        yield _axis(
            data, f"feeds {node.name!r} ({node.op}) with a scale a channel; activations take one scale"
        )
    yield from _weight(model, node, weight, _CHANNELS.get(node.op))


def _weight(model: _Model, node: Node, weight: Node | None, right: int | None) -> Iterator[Finding]:
    """`right`: axis along which the scales of a weight belong; None: any will do."""
    if weight is not None and weight.op == _DQ and right is not None and _channels(model, weight) > 1:
        axis, rank = model.axes[weight.name], _rank(model, weight)
        if rank and axis % rank != right % rank:
            told = f"scales the weight of {node.name!r} ({node.op}) along axis {axis}"
            yield _axis(weight, f"{told}; its output channels lie along axis {right % rank}")


def _dequantize(model: _Model, producer: Node | None) -> Node | None:
    """The DequantizeLinear that an operand comes from."""
    while producer is not None and producer.op in _MOVES and producer.reads:
        producer = model.producer(producer.reads[0])
    return producer if producer is not None and producer.op == _DQ else None


def _is_for_weights_alone(model: _Model, dequantize: Node) -> bool:
    """Whether it reads a constant of such a type, which its zero point has, too."""
    found = (model.constants.get(tensor) for tensor in (dequantize.inputs[0], *dequantize.inputs[2:]))
    return any(tensor is not None and tensor.data_type in _FOR_WEIGHTS_ALONE for tensor in found)


def _axis(node: Node, what: str) -> Finding:
    advice = "Quantise weights per output channel, activations per tensor."
    return Finding("quantise-axis", "warning", f"{node.name!r} {what}.", node.name, advice)


def _channels(model: _Model, node: Node) -> int:
    """Number of scales; 1 where it is not known, and where they are those of blocks."""
    scale = model.constants.get(node.inputs[1])
    return int(np.prod(scale.dims)) if scale is not None and len(scale.dims) < 2 else 1


def _rank(model: _Model, dequantize: Node) -> int:
    """Rank of the constant weight behind a DequantizeLinear, 0 where there is none."""
    source = dequantize.inputs[0]
    before = model.producer(source)
    tensor = before.inputs[0] if before is not None and before.op == _Q else source
    return len(model.constants[tensor].dims) if tensor in model.constants else 0
