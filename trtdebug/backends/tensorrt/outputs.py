"""Makes tensors of a parsed network outputs of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.layers import LayerFacts


@dataclass(frozen=True)
class MarkPlan:
    """What can be marked: (layer index, output index) by tensor, and why the others cannot."""

    marks: Mapping[str, tuple[int, int]]
    skipped: Mapping[str, str]


def plan_marks(
    layers: Iterable[LayerFacts],
    wanted: Iterable[str],
    outputs: Iterable[str],
    inputs: Iterable[str],
    bool_outputs: bool,
) -> MarkPlan:
    """Decides what to mark.

    Args:
        wanted: tensors of the ONNX model.
        outputs, inputs: of the network; need no mark, and cannot have one.
        bool_outputs: whether this version takes boolean outputs in any place.
    """
    already, fed = set(outputs), set(inputs)
    places = {
        tensor.name: (layer, index)
        for layer in layers
        for index, tensor in enumerate(layer.outputs)
        if tensor.dtype != "NONE"
    }
    marks: dict[str, tuple[int, int]] = {}
    skipped: dict[str, str] = {}
    for name in wanted:
        if name in already:
            continue
        if name in fed:
            skipped[name] = "an input"
        elif name not in places:
            skipped[name] = "not in the network: folded into weights"
        else:
            layer, index = places[name]
            tensor = layer.outputs[index]
            if layer.in_body:
                skipped[name] = "inside a loop or a conditional"
            elif layer.type in ("SHAPE", "CONSTANT"):
                skipped[name] = "a shape or a constant"
            elif not tensor.is_execution:
                skipped[name] = "a shape tensor"
            elif tensor.dtype == "BOOL" and not bool_outputs:
                skipped[name] = "boolean, which this TensorRT does not give out"
            else:
                marks[name] = (layer.index, index)
    return MarkPlan(marks, skipped)


def apply_marks(network: Any, marks: Mapping[str, tuple[int, int]]) -> None:
    """Marks outputs on a trt.INetworkDefinition."""
    for layer, index in marks.values():
        network.mark_output(network.get_layer(layer).get_output(index))


def supports_bool_outputs(version: str) -> bool:
    """Whether boolean tensors can be made outputs; before 10 the build often fails of it."""
    return compat.has("BOOL_OUTPUTS", version)


def marks_note(skipped: Mapping[str, str], named: int = 5) -> str:
    """One line about tensors that cannot be outputs; empty when there are none."""
    if not skipped:
        return ""
    first = ", ".join(f"{tensor} ({reason})" for tensor, reason in list(skipped.items())[:named])
    more = f" and {len(skipped) - named} more" if len(skipped) > named else ""
    return f"{len(skipped)} tensor(s) cannot be outputs: {first}{more}"
