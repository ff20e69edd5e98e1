"""Makes tensors of a parsed network outputs of the engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.layers import REGION_ENDS, LayerFacts
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import EVERY_TENSOR
from trtdebug.core.words import NAMED, listed_with_reasons


@dataclass(frozen=True)
class MarkPlan:
    """What can be marked.

    Attributes:
        marks: (layer index, output index) by tensor.
        skipped: why the others cannot, by tensor.
        converted: those of `marks` that are boolean and have to be given out as INT32.
    """

    marks: Mapping[str, tuple[int, int]]
    skipped: Mapping[str, str]
    converted: frozenset[str] = frozenset()


def plan_marks(
    layers: Iterable[LayerFacts],
    wanted: Iterable[str],
    outputs: Iterable[str],
    inputs: Iterable[str],
    bool_outputs: bool,
) -> MarkPlan:
    """Decides what to mark.

    Args:
        wanted: tensors, of the ONNX model or of the network.
        outputs, inputs: of the network; need no mark, and cannot have one.
        bool_outputs: whether this version takes boolean outputs in any place; else they are converted.
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
    converted: set[str] = set()
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
            if (
                layer.in_body and layer.type not in REGION_ENDS
            ):  # what ends one gives out a tensor of the model
                skipped[name] = "inside a loop or a conditional"
            elif layer.type in ("SHAPE", "CONSTANT"):
                skipped[name] = "a shape or a constant"
            elif not tensor.is_execution:
                skipped[name] = "a shape tensor"
            else:
                marks[name] = (layer.index, index)
                if tensor.dtype == "BOOL" and not bool_outputs:
                    converted.add(name)
    return MarkPlan(marks, skipped, frozenset(converted))


def check_marks(
    asked: Iterable[str], known: Collection[str], layers: Iterable[LayerFacts], model: str
) -> None:
    """Raises `BuildFailure` for a mark that is neither a tensor of the ONNX model (`known`) nor of the network."""
    own = {t.name for facts in layers for t in facts.outputs}
    missing = [t for t in asked if t not in known and t not in own and t != EVERY_TENSOR]
    if missing:
        raise BuildFailure(f"{missing[0]!r} is no tensor of {model}.")


def markable(
    layers: Iterable[LayerFacts], outputs: Iterable[str], inputs: Iterable[str], bool_outputs: bool
) -> tuple[str, ...]:
    """Names of all tensors that can be marked, in the network's order. Arguments as of `plan_marks`."""
    known = tuple(layers)
    outside = (facts for facts in known if not facts.in_body)  # the end of a body may lie in another one
    every = dict.fromkeys(t.name for facts in outside for t in facts.outputs if t.dtype != "NONE")
    return tuple(plan_marks(known, every, outputs, inputs, bool_outputs).marks)


def mark_tensors(
    network: Any, layers: Iterable[LayerFacts], wanted: Iterable[str], bool_outputs: bool
) -> Mapping[str, str]:
    """Makes these tensors outputs of a trt.INetworkDefinition.

    Args:
        layers: of the network.
        wanted: tensors, of the ONNX model or of the network, or `EVERY_TENSOR`.
        bool_outputs: as in `plan_marks`.

    Returns:
        Why the others cannot be outputs, by tensor.
    """
    known, asked = tuple(layers), tuple(wanted)
    outputs = [network.get_output(i).name for i in range(network.num_outputs)]
    inputs = [network.get_input(i).name for i in range(network.num_inputs)]
    if EVERY_TENSOR in asked:
        asked = markable(known, outputs, inputs, bool_outputs)
    plan = plan_marks(known, asked, outputs, inputs, bool_outputs)
    apply_marks(network, plan)
    return plan.skipped


def apply_marks(network: Any, plan: MarkPlan) -> None:
    """Marks outputs on a trt.INetworkDefinition."""
    for name, (layer, index) in plan.marks.items():
        tensor = network.get_layer(layer).get_output(index)
        if name in plan.converted:
            _give_out_as_integer(network, tensor)
        else:
            network.mark_output(tensor)


def convert_bool_outputs(network: Any) -> tuple[str, ...]:
    """Lets the network give out its boolean outputs as INT32, under their names. Returns the names.

    Those that are converted already are left as they are.
    """
    layers = {network.get_layer(index).name for index in range(network.num_layers)}
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    boolean = [t for t in outputs if t.dtype.name == "BOOL" and _converter(t.name) not in layers]
    names = tuple(tensor.name for tensor in boolean)
    for tensor in boolean:
        network.unmark_output(tensor)
        _give_out_as_integer(network, tensor)
    return names


def _converter(output: str) -> str:
    """Name of the layer that makes INT32 of a boolean output."""
    return f"{output}__as_int32"


def _give_out_as_integer(network: Any, tensor: Any) -> None:
    import tensorrt as trt

    name = tensor.name
    tensor.name = f"{name}__bool"
    layer = network.add_cast(tensor, trt.DataType.INT32)
    layer.name = _converter(name)
    converted = layer.get_output(0)
    converted.name = name
    network.mark_output(converted)
    # TensorRT 8.6 goes by the cast's input for the type of the output, and then refuses its own network. The type can
    # be set once the tensor is an output, and up to TensorRT 10 only: later ones give out booleans as they are.
    converted.dtype = trt.DataType.INT32


def supports_bool_outputs(version: str) -> bool:
    """Whether boolean tensors can be made outputs; before 10 the build often fails of it."""
    return compat.has("BOOL_OUTPUTS", version)


def marks_note(skipped: Mapping[str, str]) -> str:
    """One line about tensors that cannot be outputs; empty when there are none."""
    if not skipped:
        return ""
    return f"{len(skipped)} tensor(s) cannot be outputs: {listed_with_reasons(skipped, NAMED)}"
