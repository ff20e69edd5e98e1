"""Which ONNX nodes an engine layer computes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from trtdebug.backends.tensorrt.inspect import EngineDump, EngineLayer
from trtdebug.backends.tensorrt.layers import metadata_nodes
from trtdebug.graph.index import GraphIndex

_PROFILE = re.compile(r" \[profile \d+\]$")
_JOINTS = re.compile(r" \+ | \|\| |, ")


def nodes_of(
    layer: EngineLayer, nodes: Collection[str] | None, layer_nodes: Mapping[str, str]
) -> tuple[str, ...]:
    """ONNX nodes that an engine layer computes; empty when unknown or when TensorRT inserted the layer.

    Args:
        nodes: every node name of the model; None = the model is not at hand, and only metadata tells.
        layer_nodes: ONNX node by network layer name.
    """
    if layer.is_reformat:
        return ()
    listed = metadata_nodes(layer.metadata, nodes)
    if listed or nodes is None:
        return listed
    if layer.foreign is not None:
        # "{ForeignNode[first...last]}" names the ends of a range, not what lies between.
        return _known([layer.foreign], nodes, layer_nodes) if "..." not in layer.foreign else ()
    name = _PROFILE.sub("", layer.name)
    if found := _known([name], nodes, layer_nodes):
        return found
    return _known(_JOINTS.split(_without_wrappers(name)), nodes, layer_nodes)


def nodes_inside(layer: EngineLayer, dump: EngineDump, graph: GraphIndex) -> tuple[str, ...]:
    """ONNX nodes between a layer's inputs and its outputs, in topological order: it computes at most these.

    For blocks that name only their ends. Some of the nodes may have been folded into weights. Empty where the
    tensors at the border are not all of the ONNX model: then nothing bounds the search.
    """
    copies = _copies(dump)
    originals = {copy: original for original, copy in copies}
    borders = {_followed(t.name, originals, stop=()) for t in layer.inputs}
    todo = [_followed(t.name, dict(copies), stop=graph.producer) for t in layer.outputs]
    found: set[str] = set()
    while todo:
        tensor = todo.pop()
        if tensor in borders or tensor in graph.initializers:
            continue
        node = graph.producer.get(tensor)
        if node is None:
            return ()
        if node not in found:
            found.add(node)
            todo += graph.node(node).reads
    return tuple(n for n in graph.order if n in found)


def _copies(dump: EngineDump) -> list[tuple[str, str]]:
    """(original, copy) of each tensor that TensorRT copies into another format."""
    return [
        (read.name, written.name)
        for layer in dump.layers
        if layer.is_reformat
        for read, written in zip(layer.inputs, layer.outputs, strict=False)
    ]


def _followed(tensor: str, step: Mapping[str, str], stop: Collection[str]) -> str:
    seen: set[str] = set()
    while tensor in step and tensor not in stop and tensor not in seen:
        seen.add(tensor)
        tensor = step[tensor]
    return tensor


def _without_wrappers(name: str) -> str:
    """ "PWN(PWN(a), b)" -> "a, b"."""
    while (start := name.find("PWN(")) >= 0:
        end = _closing(name, start + 3)
        if end is None:
            return name
        name = name[:start] + name[start + 4 : end] + name[end + 1 :]
    return name


def _closing(text: str, opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return None


def _known(names: Sequence[str], nodes: Collection[str], layer_nodes: Mapping[str, str]) -> tuple[str, ...]:
    found = []
    for name in (n.strip() for n in names):
        node = layer_nodes.get(name) or (name if name in nodes else None)
        if node is not None and node not in found:
            found.append(node)
    return tuple(found)
