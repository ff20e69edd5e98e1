"""What a build request asks for, said in the ONNX graph: low precision by Casts, marked tensors as outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from trtdebug.backends.base import BuildRequest
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import (
    BreakFusion,
    ForcePrecision,
    Knob,
    LowPrecision,
    MarkOutputs,
    PinPrecision,
    Precision,
    ReplaceGraph,
)
from trtdebug.graph.load import load_model
from trtdebug.graph.lowcast import lowerable, mixed_precision
from trtdebug.graph.types import tensor_types, value_info

_SWITCH = {"on": True, "off": False}


@dataclass(frozen=True)
class Prepared:
    """A build in TensorRT-RTX's terms.

    Attributes:
        model: has the Casts and the outputs in it.
        outputs: tensors to return.
        pinned: nodes whose precision was asked for.
        unlowered: nodes asked for a low precision that ONNX cannot express for them.
        level: optimisation level; None = the builder's own.
    """

    model: onnx.ModelProto
    outputs: tuple[str, ...]
    pinned: tuple[str, ...]
    unlowered: tuple[str, ...]
    tf32: bool
    level: int | None


def prepare(request: BuildRequest) -> Prepared:
    """Works out what to build.

    Raises:
        BuildFailure: an intervention or option that TensorRT-RTX does not have, or a name that is not in the model.
    """
    if request.options.plugins:
        raise BuildFailure("TensorRT-RTX takes no plugin libraries.", "Leave out --plugins.")
    path, base, pins, marks = request.model, request.options.precision, dict[str, Precision](), list[str]()
    tf32, level = request.options.tf32, request.options.optimization_level
    for intervention in request.interventions:
        if isinstance(intervention, PinPrecision):
            pins |= dict.fromkeys(intervention.nodes, intervention.dtype)
        elif isinstance(intervention, ForcePrecision):
            base = intervention.dtype
        elif isinstance(intervention, MarkOutputs):
            marks += intervention.tensors
        elif isinstance(intervention, BreakFusion):
            marks.append(intervention.tensor)
        elif isinstance(intervention, ReplaceGraph):
            path = Path(intervention.model)
        elif isinstance(intervention, Knob) and intervention.name == "tf32" and intervention.value in _SWITCH:
            tf32 = _SWITCH[intervention.value]
        elif isinstance(intervention, Knob) and intervention.name == "optimization_level":
            level = int(intervention.value)
        else:
            raise BuildFailure(
                f"TensorRT-RTX cannot realise {intervention}.", "See the backend's `realises`."
            )
    model = load_model(path)
    own = [o.name for o in model.graph.output]
    _mark(model, [*(request.outputs or ()), *marks])
    low, wanted = _low_nodes(model, base, pins)
    fitting = lowerable(model, wanted, low) if low is not None else frozenset()
    returned = list(request.outputs) if request.outputs is not None else own
    return Prepared(
        model if low is None else mixed_precision(model, fitting, low),
        tuple(dict.fromkeys([*returned, *marks])),
        tuple(pins),
        tuple(n for n in wanted if n not in fitting),
        tf32,
        level,
    )


def _mark(model: onnx.ModelProto, tensors: list[str]) -> None:
    """Makes tensors outputs of the graph, in place."""
    made = {name for node in model.graph.node for name in node.output}
    missing = [t for t in tensors if t not in made]
    if missing:
        raise BuildFailure(f"{missing[0]!r} is written by no node of the model.")
    types = tensor_types(model)
    already = {o.name for o in model.graph.output}
    model.graph.output.extend(value_info(t, types.get(t)) for t in dict.fromkeys(tensors) if t not in already)


def _low_nodes(
    model: onnx.ModelProto, base: Precision, pins: dict[str, Precision]
) -> tuple[LowPrecision | None, list[str]]:
    """The one low precision, and the nodes that shall work in it."""
    names = [node.name for node in model.graph.node]
    unknown = [n for n in pins if n not in names]
    if unknown:
        raise BuildFailure(f"a pin names {unknown[0]!r}, which is no node of the model.")
    asked = {base, *pins.values()}
    if {"fp16", "bf16"} <= asked:
        raise BuildFailure("a strongly typed build takes one low precision, not fp16 and bf16 at once.")
    if "int8" in pins.values():
        raise BuildFailure(
            "a node cannot be pinned to int8.", "INT8 comes from QuantizeLinear/DequantizeLinear."
        )
    low: LowPrecision | None = "fp16" if "fp16" in asked else "bf16" if "bf16" in asked else None
    floats = {name for name, type_ in tensor_types(model).items() if type_.is_float}
    nodes = [n for n in model.graph.node if n.op_type != "Constant" and floats.intersection(n.output)]
    return low, [n.name for n in nodes if low is not None and pins.get(n.name, base) == low]
