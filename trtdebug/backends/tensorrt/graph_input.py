"""The ONNX model as TensorRT gets it, and what the build has to know about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from trtdebug.backends.pins import check_pins
from trtdebug.backends.tensorrt.calibration import is_quantised
from trtdebug.backends.tensorrt.plan import BuildPlan
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import EVERY_TENSOR, Precision
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.lowcast import lowering, mixed_precision
from trtdebug.graph.shape_inputs import shape_inputs
from trtdebug.graph.types import TensorType, tensor_types, value_info

_PROTOBUF_LIMIT = 1_900_000_000


@dataclass(frozen=True)
class PreparedModel:
    """A model ready to be parsed.

    Attributes:
        proto: what TensorRT parses; with strong typing it has the Casts in it.
        index: of `proto`.
        types: of the source model's tensors.
        ops: operator by node name, of `proto`.
        outputs: the source model's own outputs.
        asked: precision by node, float nodes only: what pins and force ask of each.
        marked: tensors that were made outputs in `proto` (strong typing).
        unlowered: nodes asked for the low precision that stay in FP32, wholly or in part -> why (strong typing).
        quantised: it has QuantizeLinear or DequantizeLinear nodes.
    """

    proto: onnx.ModelProto
    index: GraphIndex
    types: Mapping[str, TensorType]
    ops: Mapping[str, str]
    outputs: tuple[str, ...]
    asked: Mapping[str, Precision]
    marked: tuple[str, ...] = ()
    unlowered: Mapping[str, str] = field(default_factory=dict)
    quantised: bool = False


def prepare(plan: BuildPlan) -> PreparedModel:
    """Loads the plan's model; with strong typing, says the precision in it by Casts.

    Raises:
        BuildFailure: a pin or a mark names what is not in the model.
    """
    model = load_model(plan.model)
    index = GraphIndex(model)
    types = tensor_types(model)
    _fix_lengths(model, {name: plan.values[name] for name in shape_inputs(index, types) & plan.values.keys()})
    check_pins(plan.pins, model, plan.model.name)
    known = {*index.tensors, *index.inputs, *index.initializers, *index.outputs}
    missing = [t for t in plan.marks if t not in known and t != EVERY_TENSOR]
    if missing and plan.strong:  # else it may be one of the network's own
        raise BuildFailure(f"{missing[0]!r} is no tensor of {plan.model.name}.")
    asked = _asked(index, types, plan.pins, plan.unpinned if plan.strong else plan.forced)
    outputs = tuple(o.name for o in model.graph.output)
    marked: tuple[str, ...] = ()
    unlowered: Mapping[str, str] = {}
    if plan.strong:
        wanted_marks = index.tensors if EVERY_TENSOR in plan.marks else plan.marks
        marked = tuple(t for t in wanted_marks if t in index.producer and t not in outputs)
        model.graph.output.extend(value_info(t, types.get(t)) for t in marked)
        if plan.low is not None:
            wanted = [n for n, dtype in asked.items() if dtype == plan.low]
            found = lowering(model, wanted, plan.low)
            unlowered = {**found.refused, **{n: _stays(left) for n, left in found.inside.items()}}
            model = mixed_precision(model, found.low, plan.low)
        index = GraphIndex(model)
    ops = {n.name: n.op for n in index.nodes}
    return PreparedModel(model, index, types, ops, outputs, asked, marked, unlowered, is_quantised(model))


def _stays(left: Mapping[str, str]) -> str:
    """What stays in FP32 in the bodies of a node, and why."""
    return "; ".join(f"{inner!r} in its body stays in FP32: {reason}" for inner, reason in left.items())


def _fix_lengths(model: onnx.ModelProto, values: Mapping[str, Profile]) -> None:
    """Gives inputs that hold shapes their length: TensorRT wants to know the rank of what they describe."""
    for value in model.graph.input:
        if value.name in values and len(value.type.tensor_type.shape.dim) == 1:
            value.type.tensor_type.shape.dim[0].dim_value = len(values[value.name].opt)


def _asked(
    index: GraphIndex, types: Mapping[str, TensorType], pins: Mapping[str, Precision], low: Precision | None
) -> dict[str, Precision]:
    """Precision by node: pins, and `low` for every other node with a float output that is no constant."""
    asked: dict[str, Precision] = {}
    for node in index.nodes:
        is_float = any(t in types and types[t].is_float for t in node.writes)
        if node.name in pins:
            asked[node.name] = pins[node.name]
        elif low is not None and is_float and node.op != "Constant":
            asked[node.name] = low
    return asked


def onnx_source(model: onnx.ModelProto, workdir: Path) -> bytes | Path:
    """The serialised model, or a file of it in `workdir` when it is too large for protobuf."""
    if model.ByteSize() < _PROTOBUF_LIMIT:
        return bytes(model.SerializeToString())
    path = workdir / "network.onnx"
    save_model(model, path)
    return path
