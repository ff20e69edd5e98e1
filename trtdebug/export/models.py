"""The models of a fix folder: with the precisions written in, and with names where the user's file has none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import onnx

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.graph_input import PreparedModel, prepare
from trtdebug.backends.tensorrt.plan import plan_build
from trtdebug.core.errors import BuildFailure
from trtdebug.graph.load import parse_model
from trtdebug.graph.walk import all_tensors

_STRONG, _WEAK = "11.0", "10.0"
"""Versions of TensorRT that stand for those with strongly and with weakly typed networks."""


@dataclass(frozen=True)
class TypedModel:
    """A model with precisions in it.

    Attributes:
        unlowered: node that no pin keeps from the low precision, and that is not in it nonetheless -> why.
    """

    model: onnx.ModelProto
    unlowered: Mapping[str, str]


def strongly_typed(request: BuildRequest) -> TypedModel | None:
    """The model with the precisions of the request in it, by Casts; None where it needs none.

    Raises:
        BuildFailure: a strongly typed TensorRT cannot have this, none of the nodes can be lowered, or a pinned one is
            lower in the model itself.
    """
    plan = plan_build(_less_sources(request), _STRONG)
    model = prepare(plan)
    wanted = [node for node, dtype in model.asked.items() if dtype == plan.low]
    if wanted and model.unlowered.keys() >= set(wanted):
        node = wanted[0]
        raise BuildFailure(
            f"no node of the model can be put into {plan.low}; {node!r}: {model.unlowered[node]}."
        )
    for node, dtype in plan.pins.items():
        if dtype == "fp32" and (low := _low_in_itself(model, node)):
            raise BuildFailure(f"{node!r} is in {low} in the model itself, and no Cast makes the pin of it.")
    if plan.low is None and not model.marked:
        return None
    own = {"fp16": "float16", "bf16": "bfloat16"}.get(plan.low or "")
    return TypedModel(
        model.proto, {n: why for n, why in model.unlowered.items() if _low_in_itself(model, n) != own}
    )


def _low_in_itself(model: PreparedModel, name: str) -> str:
    """The low precision that a node has without any Cast of ours; empty where it has none, or is a Cast itself."""
    node = model.index.node(name)
    types = (model.types[t].dtype for t in (*node.reads, *node.writes) if t in model.types)
    return "" if node.op == "Cast" else next((t for t in types if t in ("float16", "bfloat16")), "")


def well_named(request: BuildRequest, pinned: Collection[str]) -> onnx.ModelProto | None:
    """The model as TensorRT has to get it for the names of pinned nodes to hold; None where the file is so already.

    Raises:
        BuildFailure: the model cannot be prepared.
    """
    plain = replace(_less_sources(request), interventions=(), outputs=None)
    proto = prepare(plan_build(plain, _WEAK)).proto
    given = parse_model(request.model)
    pairs = [(a.name, b.name) for a, b in zip(given.graph.node, proto.graph.node, strict=True)]
    renamed = {name for pair in pairs if pair[0] and pair[0] != pair[1] for name in pair}.intersection(pinned)
    reshaped = list(given.graph.input) != list(proto.graph.input)
    return proto if renamed or reshaped else None


def _less_sources(request: BuildRequest) -> BuildRequest:
    """Without the user's tactic sources, which no model shows: those that stand for a version may lack one."""
    return replace(request, options=replace(request.options, tactic_sources=None))


def weight_bytes(model: onnx.ModelProto) -> int:
    """Bytes of all weights: what the file is at least."""
    return sum(len(tensor.raw_data) for tensor in all_tensors(model))
