"""Which layer gets which precision (weak typing, up to TensorRT 10).

The FP16 flag only allows FP16; the builder then chooses by timing. A precision that is to be had is set on
the layer and on its outputs, together with OBEY_PRECISION_CONSTRAINTS. What cannot be set so fails the whole
build, and is skipped here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.layers import FLOAT_TYPES, LayerFacts
from trtdebug.core.intervention import Precision
from trtdebug.core.words import NAMED, listed_with_reasons

PINNED_FILE = "pinned-layers.json"
"""Which layers have a precision set, by the network's names: lies beside the trial's engine.json."""

_NO_PRECISION = {
    "CONSTANT": "a constant",
    "CAST": "a cast",
    "QUANTIZE": "quantisation",
    "DEQUANTIZE": "quantisation",
    "PLUGIN": "a plugin",
    "PLUGIN_V2": "a plugin",
    "PLUGIN_V3": "a plugin",
    "SHAPE": "works on shapes",
    "FILL": "a generator",
    "ASSERTION": "an assertion",
    "RNN_V2": "a recurrent layer",
}
_IN_A_BODY = "inside a loop, a conditional or a recurrent node"
BODY_OPS = frozenset({"If", "Loop", "Scan", "LSTM", "GRU", "RNN", "CumSum", "SequenceMap"})
"""The parser makes loops and conditionals of them, and cannot set the precision of what is in there."""


@dataclass(frozen=True)
class Assignment:
    """Precision of one network layer and of these of its outputs."""

    layer: int
    dtype: Precision
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class PrecisionPlan:
    """What to set.

    Attributes:
        skipped: ONNX node -> why its precision cannot be set, for nodes that were asked.
        absent: asked nodes without a layer: folded into weights, or without any effect.
    """

    assignments: tuple[Assignment, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def refusal(layer: LayerFacts, op: str | None) -> str | None:
    """Why a layer's precision cannot be set, None if it can.

    Args:
        op: ONNX operator of the node that the layer was made for, None for a helper.
    """
    if layer.in_body or op in BODY_OPS:
        return _IN_A_BODY
    if layer.type in _NO_PRECISION:
        return _NO_PRECISION[layer.type]
    floats = [t for t in layer.outputs if t.dtype in FLOAT_TYPES]
    if not floats:
        return "no float output"
    if len(floats) < len([t for t in layer.outputs if t.dtype != "NONE"]):
        return "outputs of mixed types"
    if layer.reads_shape or any(t.is_shape or not t.is_execution for t in floats):
        return "works on shapes"
    return None


def plan_precision(
    layers: Sequence[LayerFacts],
    owned: Mapping[int, str],
    ops: Mapping[str, str],
    asked: Mapping[str, Precision],
) -> PrecisionPlan:
    """Precision of every layer, from the precision asked of ONNX nodes.

    All layers of a node get the node's precision. The parser's helpers (broadcasts of constants, say) get the
    precision of what reads them: FP32 as soon as one reader is FP32, so that no small constant is lost on its
    way to a pinned node; the low one if all readers agree; else they stay free.

    Args:
        layers: in topological order, as the parser adds them.
        owned: ONNX node by layer index; helpers left out.
        ops: operator by ONNX node.
        asked: precision by ONNX node; nodes not in it stay free.
    """
    readers: dict[str, set[Precision | None]] = {}
    assignments: list[Assignment] = []
    skipped: dict[str, str] = {}
    for layer in reversed(layers):
        node = _own_node(layer, owned, ops)
        reason = refusal(layer, ops.get(node) if node is not None else None)
        wanted: Precision | None
        if node is not None:
            wanted = asked.get(node)
        else:
            wanted = _agreed([r for t in layer.outputs for r in readers.get(t.name, ())])
        for name in layer.inputs:
            readers.setdefault(name, set()).add(None if layer.in_body else wanted)
        if wanted is None:
            continue
        if reason is None:
            floats = tuple(i for i, t in enumerate(layer.outputs) if t.dtype in FLOAT_TYPES)
            assignments.append(Assignment(layer.index, wanted, floats))
        elif node is not None and _matters(layer):
            skipped[node] = reason
    assigned = {owned.get(a.layer) for a in assignments}
    with_layer = {_own_node(layer, owned, ops) for layer in layers} | {
        node
        for node in asked
        if ops.get(node) in BODY_OPS  # a body has its own nodes' names
    }
    for node in asked:
        if node in with_layer and node not in assigned and node not in skipped:
            skipped[node] = _IN_A_BODY if ops.get(node) in BODY_OPS else "no float output"
    absent = tuple(n for n in asked if n not in with_layer)
    return PrecisionPlan(tuple(reversed(assignments)), skipped, absent)


def _own_node(layer: LayerFacts, owned: Mapping[int, str], ops: Mapping[str, str]) -> str | None:
    """Top-level node that a layer was made for. A node in a body may have the name of one outside."""
    node = owned.get(layer.index)
    if node is not None and layer.in_body and ops.get(node) not in BODY_OPS:
        return None
    return node


def _agreed(readers: Sequence[Precision | None]) -> Precision | None:
    if "fp32" in readers:
        return "fp32"
    return readers[0] if readers and len(set(readers)) == 1 else None


def _matters(layer: LayerFacts) -> bool:
    """Whether a skipped layer leaves float work of its node undecided; constants and shape helpers do not."""
    return layer.type not in ("CONSTANT", "SHAPE") and any(
        t.dtype in FLOAT_TYPES and not t.is_shape for t in layer.outputs
    )


def apply_precision(network: Any, assignments: Iterable[Assignment]) -> None:
    """Sets precision and output types on a trt.INetworkDefinition."""
    import tensorrt as trt

    for assignment in assignments:
        layer = network.get_layer(assignment.layer)
        dtype = compat.member(trt.DataType, compat.TRT_TYPE[assignment.dtype])
        layer.precision = dtype
        for index in assignment.outputs:
            layer.set_output_type(index, dtype)


def write_pinned(path: Path, network: Any, assignments: Iterable[Assignment]) -> None:
    """Writes which layers of a trt.INetworkDefinition have their precision set: name, dtype, number of outputs.

    Those that had to be freed for the build are left out. trtexec takes precisions by these names.
    """
    layers = ((network.get_layer(a.layer), a.dtype) for a in assignments)
    told = [
        {"name": layer.name, "dtype": dtype, "outputs": layer.num_outputs}
        for layer, dtype in layers
        if layer.precision_is_set
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")


def skipped_note(skipped: Mapping[str, str]) -> str:
    """One line about nodes whose precision cannot be set; empty when there are none."""
    if not skipped:
        return ""
    nodes = listed_with_reasons(dict(sorted(skipped.items())), NAMED)
    return f"the precision of {len(skipped)} node(s) cannot be set: {nodes}"
