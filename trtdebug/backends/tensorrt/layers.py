"""TensorRT's network layers, copied into plain data, and the ONNX nodes that they come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FLOAT_TYPES = frozenset({"FLOAT", "HALF", "BF16"})
"""Members of trt.DataType that a layer's precision can be."""

_ENTRY = re.compile(r"\[ONNX Layer: (.*)\]", re.DOTALL)
_SEPARATORS = re.compile(r"[\x1e\x1f]")
_SUFFIX = re.compile(r"(.+)_\d+")
_REGION_STARTS = frozenset({"TRIP_LIMIT", "ITERATOR", "RECURRENCE", "CONDITION", "CONDITIONAL_INPUT"})
REGION_ENDS = frozenset({"LOOP_OUTPUT", "CONDITIONAL_OUTPUT"})
"""Layers through which results leave a loop or a conditional."""
_INWARD = frozenset({"ITERATOR", "RECURRENCE", "CONDITIONAL_INPUT"})


@dataclass(frozen=True)
class TensorFacts:
    """An output tensor of a network layer.

    Attributes:
        dtype: member name of trt.DataType.
        is_shape, is_execution: as TensorRT says; only asked of float tensors.
    """

    name: str
    dtype: str
    is_shape: bool = False
    is_execution: bool = True


@dataclass(frozen=True)
class LayerFacts:
    """A layer of the parsed network.

    Attributes:
        type: member name of trt.LayerType.
        inputs: tensor names.
        reads_shape: its first input is a shape tensor.
        in_body: it lies inside a loop or a conditional, or begins or ends one.
    """

    index: int
    type: str
    name: str
    metadata: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    reads_shape: bool = False
    in_body: bool = False


def read_layers(network: Any, ask_shapes: bool = True) -> tuple[LayerFacts, ...]:
    """Every layer of a trt.INetworkDefinition, in its order.

    Args:
        ask_shapes: find out which float tensors are shape tensors.
    """
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    outputs = [[layer.get_output(i) for i in range(layer.num_outputs)] for layer in layers]
    inputs = [[layer.get_input(i) for i in range(layer.num_inputs)] for layer in layers]
    shapely = _towards_integers(inputs, outputs) if ask_shapes else frozenset()
    kinds = [layer.type.name for layer in layers]
    in_body = _in_bodies(kinds, inputs, outputs)
    facts = []
    for index, layer in enumerate(layers):
        first: Any = inputs[index][0] if inputs[index] else None
        made_of_shapes = ask_shapes and first is not None and _may_be_shape(first, shapely)
        facts.append(
            LayerFacts(
                index=index,
                type=kinds[index],
                name=layer.name,
                metadata=layer.metadata,
                inputs=tuple(t.name for t in inputs[index] if t is not None),
                outputs=tuple(_tensor(t, made_of_shapes or _name(t) in shapely) for t in outputs[index]),
                reads_shape=made_of_shapes
                and any(_is_float(t) for t in outputs[index])
                and bool(first.is_shape_tensor),
                in_body=in_body[index],
            )
        )
    return tuple(facts)


def _in_bodies(
    kinds: Sequence[str], inputs: Sequence[Sequence[Any]], outputs: Sequence[Sequence[Any]]
) -> list[bool]:
    """Which layers lie inside a loop or a conditional, or at its border.

    By their place: the parser adds all of a body between its first and its last border. And by what they read,
    since the end of a body within a body does not end the one around it.
    """
    depths = _depths(kinds, inputs, outputs)
    found = []
    open_body = False
    for kind, depth in zip(kinds, depths, strict=True):
        open_body = open_body or kind in _REGION_STARTS
        found.append(open_body or depth > 0 or kind in REGION_ENDS)
        open_body = open_body and kind not in REGION_ENDS
    return found


def _depths(
    kinds: Sequence[str], inputs: Sequence[Sequence[Any]], outputs: Sequence[Sequence[Any]]
) -> list[int]:
    """In how many bodies each layer's result lies, by the borders that lead to it.

    Not by index alone: the parser adds the borders into a conditional after the layers that read them.
    """
    if not _INWARD.intersection(kinds):
        return [0] * len(kinds)
    depths = [0] * len(kinds)
    producer = {t.name: index for index, written in enumerate(outputs) for t in written if t is not None}
    changed = True
    while changed:  # ends: what a recurrence reads from the round before is left out, so there is no cycle
        changed = False
        for index, kind in enumerate(kinds):
            read = inputs[index][:1] if kind in _INWARD else inputs[index]
            before = [depths[producer[t.name]] for t in read if t is not None and t.name in producer]
            depth = max(before, default=0) + (kind in _INWARD) - (kind in REGION_ENDS)
            if max(depth, 0) != depths[index]:
                depths[index] = max(depth, 0)
                changed = True
    return depths


def _towards_integers(inputs: Sequence[Sequence[Any]], outputs: Sequence[Sequence[Any]]) -> frozenset[str]:
    """Float tensors from which an integer or bool is computed: no other float can be part of a shape.

    TensorRT analyses the whole network for each tensor that it is asked about, so most are not asked about.
    """
    found: set[str] = set()
    for index in reversed(range(len(outputs))):
        written = [t for t in outputs[index] if t is not None]
        if any(not _is_float(t) or t.name in found for t in written):
            found.update(t.name for t in inputs[index] if t is not None and _is_float(t))
    return frozenset(found)


def _may_be_shape(tensor: Any, shapely: Collection[str]) -> bool:
    return not _is_float(tensor) or tensor.name in shapely


def _is_float(tensor: Any) -> bool:
    return tensor is not None and tensor.dtype.name in FLOAT_TYPES


def _name(tensor: Any) -> str:
    return "" if tensor is None else tensor.name


def _tensor(tensor: Any, ask_shape: bool) -> TensorFacts:
    if tensor is None:  # an optional output that nobody reads
        return TensorFacts("", "NONE")
    if not ask_shape or not _is_float(tensor):
        return TensorFacts(tensor.name, tensor.dtype.name)
    return TensorFacts(
        tensor.name, tensor.dtype.name, bool(tensor.is_shape_tensor), bool(tensor.is_execution_tensor)
    )


def metadata_nodes(metadata: str, nodes: Collection[str] | None) -> tuple[str, ...]:
    """ONNX nodes that a Metadata text names, each once, known ones only.

    Fusions outside Myelin join entries with \\x1e, those inside with \\x1f. A node name may itself hold "]"
    or " | ": the longest known name wins.

    Args:
        nodes: every node name of the model; None = not known, so that a name ends at its first " | ".
    """
    found: list[str] = []
    for entry in _SEPARATORS.split(metadata):
        match = _ENTRY.search(entry)
        if match is None:
            continue
        name = match[1]
        while (nodes is None or name not in nodes) and " | " in name:
            name = name.rpartition(" | ")[0]
        if (nodes is None or name in nodes) and name not in found:
            found.append(name)
    return tuple(found)


def owner(layer: LayerFacts, nodes: Collection[str]) -> str | None:
    """ONNX node that a network layer was made for; None for the parser's helpers."""
    named = metadata_nodes(layer.metadata, nodes)
    if named:
        return named[0]
    if layer.name in nodes:
        return layer.name
    # The parser numbers the second and later layers of a node: Gemm_3, Gemm_3_17.
    match = _SUFFIX.fullmatch(layer.name)
    return match[1] if match and match[1] in nodes else None


def owners(layers: Iterable[LayerFacts], nodes: Collection[str]) -> dict[int, str]:
    """ONNX node by layer index, helpers left out."""
    found = ((layer.index, owner(layer, nodes)) for layer in layers)
    return {index: node for index, node in found if node is not None}


def layer_names(layers: Iterable[LayerFacts], owned: Mapping[int, str]) -> dict[str, str]:
    """ONNX node by network layer name, helpers left out."""
    return {layer.name: owned[layer.index] for layer in layers if layer.index in owned}
