"""Which tensors of a node change type when it works in float16 or bfloat16, by ONNX's operator schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, defs

from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.types import graph_types
from trtdebug.graph.walk import bodies

ONNX_TYPE = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
"""ONNX element type of a low precision."""
NUMPY_TYPE = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
"""numpy's dtype of a low precision."""
_SCHEMA_TYPE = {"fp16": "tensor(float16)", "bf16": "tensor(bfloat16)"}
_CAST_SINCE = {"fp16": 6, "bf16": 13}

_GENERATOR = "another type draws other numbers, or an attribute says the type"
_SEQUENCE = "sequences and optionals hold tensors that no Cast reaches"
_QUANTISATION = "quantisation: its scales are float32"
_NEVER = {
    "Constant": "a constant: each reader gets it in the type that it wants",
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), _QUANTISATION),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), _QUANTISATION),
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _GENERATOR),
    **dict.fromkeys(("Bernoulli", "Multinomial", "EyeLike"), _GENERATOR),
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"), _GENERATOR),
    **dict.fromkeys(("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase"), _SEQUENCE),
    **dict.fromkeys(("SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence"), _SEQUENCE),
    **dict.fromkeys(("ConcatFromSequence", "Optional", "OptionalGetElement"), _SEQUENCE),
    "OptionalHasElement": _SEQUENCE,
}
TYPE_BLIND = frozenset({"Shape", "Size"})
"""Ops that read any type and give none of it on: no Cast for them."""

# Type variables that stay float32 in an op that is otherwise lowered: the region of Resize, the ratio of
# Dropout, and the statistics of LayerNormalization, whose type is stash_type's.
_FIXED_VARIABLES = {"Resize": {"T2"}, "Dropout": {"T1"}, "LayerNormalization": {"U"}}

# Output k of the node is output k + offset of its bodies; input k is input k of its body.
BODY_OUTPUT_OFFSET = {"If": 0, "Loop": 1, "Scan": 0}
"""Ops whose bodies can be lowered -> outputs of a body before the one that is the node's first output."""


@dataclass(frozen=True)
class Slots:
    """What changes type in a node that works in low precision.

    Attributes:
        inputs, outputs: indices of the node's float32 inputs and outputs that become low.
        reason: why the node stays in float32; empty where it does not.
    """

    inputs: frozenset[int] = frozenset()
    outputs: frozenset[int] = frozenset()
    reason: str = ""


def body_types(node: onnx.NodeProto, body: onnx.GraphProto, around: Mapping[str, str]) -> dict[str, str]:
    """Type of every tensor that is known in a body.

    Args:
        body: of `node`, after shape inference.
        around: types of the graph that `node` lies in.
    """
    types = dict(around)
    if node.op_type in ("Loop", "Scan"):  # their inputs often go undeclared
        pairs = zip(node.input, body.input, strict=False)
        types |= {value.name: around[name] for name, value in pairs if name in around}
    return types | {name: type_.dtype for name, type_ in graph_types(body).items()}


def low_slots(
    node: onnx.NodeProto,
    inferred: onnx.NodeProto,
    types: Mapping[str, str],
    opset: int,
    dtype: LowPrecision,
) -> Slots:
    """What changes type when `node` is lowered, or why it stays in float32.

    Args:
        inferred: the same node after shape inference: its bodies know their types.
        types: dtype name of every known tensor around the node.
        opset: version of ONNX's own operators in the model.
    """
    if node.domain not in ("", "ai.onnx"):
        return Slots(reason=f"an operator of {node.domain}")
    if node.op_type in _NEVER:
        return Slots(reason=_NEVER[node.op_type])
    if node.op_type in TYPE_BLIND:
        return Slots(reason="reads only a shape")
    if opset < _CAST_SINCE[dtype]:
        return Slots(reason=f"opset {opset} has no Cast to {dtype}")
    try:
        schema = defs.get_schema(node.op_type, opset, "")
    except defs.SchemaError:
        return Slots(reason=f"ONNX has no {node.op_type} in opset {opset}")
    if any(True for _ in bodies(node)):
        return _control_slots(node, inferred, types, schema, opset, dtype)
    return _schema_slots(node, types, schema, opset, dtype)


def _schema_slots(
    node: onnx.NodeProto, types: Mapping[str, str], schema: defs.OpSchema, opset: int, dtype: LowPrecision
) -> Slots:
    missing = Slots(reason=f"ONNX has no {dtype} for {node.op_type} in opset {opset}")
    fixed = _FIXED_VARIABLES.get(node.op_type, set())
    allowed = {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}
    floats = {v for v, kinds in allowed.items() if "tensor(float)" in kinds and v not in fixed}
    low = {v for v in floats if _SCHEMA_TYPE[dtype] in allowed[v]}
    chosen: list[set[int]] = []
    for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs)):
        chosen.append(set())
        for index, name in enumerate(names):
            variable = formals[min(index, len(formals) - 1)].type_str
            if not name or variable not in floats:
                continue
            if name not in types:
                return Slots(reason=f"the type of tensor {name!r} is unknown")
            if types[name] == "float32":
                if variable not in low:  # its partners would be of another type than it
                    return missing
                chosen[-1].add(index)
    if not any(chosen):
        is_float = any(types.get(t) == "float32" for t in (*node.input, *node.output))
        return missing if is_float else Slots(reason="no float32 tensor")
    return Slots(frozenset(chosen[0]), frozenset(chosen[1]))


def _control_slots(
    node: onnx.NodeProto,
    inferred: onnx.NodeProto,
    types: Mapping[str, str],
    schema: defs.OpSchema,
    opset: int,
    dtype: LowPrecision,
) -> Slots:
    """The border of If, Loop or Scan. What becomes low outside becomes low inside, so that it still fits."""
    offset = BODY_OUTPUT_OFFSET.get(node.op_type)
    if offset is None or (node.op_type == "Scan" and opset < 9):
        return Slots(reason=f"the body of {node.op_type} is not rewritten")
    values = (c for c in schema.type_constraints if c.type_param_str == "V")
    if not any(_SCHEMA_TYPE[dtype] in c.allowed_type_strs for c in values):
        return Slots(reason=f"ONNX has no {dtype} for {node.op_type} in opset {opset}")
    unknown = next((t for t in (*node.input, *node.output) if t and t not in types), None)
    if unknown is not None:
        return Slots(reason=f"the type of tensor {unknown!r} is unknown")
    inputs = {k for k, name in enumerate(node.input) if name and types[name] == "float32"}
    found: list[set[int]] = []
    inside = False
    for body in bodies(inferred):
        known = body_types(node, body, types)
        unknown = next((o.name for o in body.output if o.name not in known), None)
        if unknown is not None:
            return Slots(reason=f"the type of tensor {unknown!r} in its body is unknown")
        found.append(
            {k - offset for k, o in enumerate(body.output) if k >= offset and known[o.name] == "float32"}
        )
        inside = inside or any(not low_slots(inner, inner, known, opset, dtype).reason for inner in body.node)
    outputs = found[0]
    carried = _carried(node)
    agree = all(other == outputs for other in found) and all(
        (into in inputs) == (out in outputs) for into, out in carried
    )
    if not agree:
        return Slots(reason="the types at the border of its body do not agree")
    if not (inputs or outputs or inside):
        return Slots(reason="no float32 tensor")
    return Slots(frozenset(inputs), frozenset(outputs))


def _carried(node: onnx.NodeProto) -> list[tuple[int, int]]:
    """(input, output) of the node for each state that it carries from one round to the next."""
    if node.op_type == "Loop":
        return [(k, k - 2) for k in range(2, len(node.input))]
    if node.op_type == "Scan":
        scanned = next(a.i for a in node.attribute if a.name == "num_scan_inputs")
        return [(k, k) for k in range(len(node.input) - scanned)]
    return []
