"""What the engine says of itself, against what was asked of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from trtdebug.backends.tensorrt.engine_nodes import nodes_inside, nodes_of
from trtdebug.backends.tensorrt.inspect import FLOATS, EngineDump, EngineLayer
from trtdebug.core.intervention import Precision
from trtdebug.core.outcome import LayerInfo
from trtdebug.graph.index import GraphIndex


@dataclass(frozen=True)
class ReadBack:
    """Nodes by what the engine shows of their precision, each in the order they were asked in.

    Attributes:
        honoured: every layer that computes the node reads and writes the precision asked, and nothing else.
        refused: the node's own result is stored in another precision than asked, or it is fused into a layer that has
            no other float type at its borders than one that was not asked.
        unverified: neither shows: inside a block of Myelin, in a layer of several precisions, or nowhere.
    """

    honoured: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()


def layer_infos(
    dump: EngineDump,
    nodes: Collection[str] | None = None,
    layer_nodes: Mapping[str, str] | None = None,
    graph: GraphIndex | None = None,
) -> tuple[LayerInfo, ...]:
    """The engine's layers as reports show them.

    Args:
        nodes, layer_nodes: as `nodes_of` takes them.
        graph: of the model that was parsed; None = it is not at hand, and no block is looked into.
    """
    return tuple(_layer_info(layer, dump, nodes, layer_nodes or {}, graph) for layer in dump.layers)


def _layer_info(
    layer: EngineLayer,
    dump: EngineDump,
    nodes: Collection[str] | None,
    layer_nodes: Mapping[str, str],
    graph: GraphIndex | None,
) -> LayerInfo:
    named = nodes_of(layer, nodes, layer_nodes)
    hidden = graph is not None and layer.foreign is not None and not named
    return LayerInfo(
        name=layer.name,
        nodes=named,
        precision=layer.precision,
        tactic=layer.tactic,
        type=layer.type,
        reads=layer.reads,
        writes=layer.writes,
        at_most=nodes_inside(layer, dump, graph) if hidden and graph is not None else (),
        tactic_id=layer.tactic_id,
    )


def read_back(
    dump: EngineDump,
    layers: Sequence[LayerInfo],
    asked: Mapping[str, Precision],
    producer: Mapping[str, str],
) -> ReadBack:
    """Which nodes got the precision that was asked, which did not, and of which the engine does not show it.

    Honoured is only what leaves no doubt: all layers that compute the node lie outside of opaque Myelin blocks,
    are fused only with nodes that were asked the same, and every float tensor at their borders has that type.
    Refused is only what is plain to see. A layer outside of such blocks stores the node's own output in another
    float type than asked, and this output is neither an engine output (whose type is fixed) nor reformatted by
    TensorRT. Or such a layer computes several nodes, and reads and writes one float type only: then none of them is
    computed in another one. That is how 8.6 answers conv in FP16 and its ReLU in FP32: with either for both.

    Args:
        layers: what `layer_infos` gives for `dump`.
        asked: precision by ONNX node; float nodes only.
        producer: ONNX node by tensor name.
    """
    refused: set[str] = set()
    shown: dict[str, bool] = {}
    for layer, info in zip(dump.layers, layers, strict=True):
        concerned = [n for n in info.nodes if n in asked]
        refused.update(n for n in concerned if _stored_otherwise(layer, info, n, asked[n], dump, producer))
        refused.update(n for n in concerned if asked[n] != (_only_type(layer, info) or asked[n]))
        clear = _clear(layer, info, asked)
        for node in concerned:
            shown[node] = shown.get(node, True) and clear
    honoured = {n for n, clear in shown.items() if clear} - refused
    return ReadBack(
        tuple(n for n in asked if n in honoured),
        tuple(n for n in asked if n in refused),
        tuple(n for n in asked if n not in honoured and n not in refused),
    )


def _clear(layer: EngineLayer, info: LayerInfo, asked: Mapping[str, Precision]) -> bool:
    """Whether the layer works in one float type only, the one asked of all its nodes."""
    wanted = {asked.get(n) for n in info.nodes}
    types = {t.precision for t in (*layer.inputs, *layer.outputs) if t.precision in FLOATS}
    told = all(t.precision is not None for t in (*layer.inputs, *layer.outputs))
    writes_floats = any(t.precision in FLOATS for t in layer.outputs)
    return layer.foreign is None and told and writes_floats and len(types) == 1 and types == wanted


def _only_type(layer: EngineLayer, info: LayerInfo) -> str | None:
    """The float type of all that a layer of several nodes reads and writes; None where it has more or shows none."""
    tensors = (*layer.inputs, *layer.outputs)
    if layer.in_myelin or len(info.nodes) < 2 or any(t.precision is None for t in tensors):
        return None
    reads, writes = (
        {t.precision for t in some if t.precision in FLOATS} for some in (layer.inputs, layer.outputs)
    )
    return next(iter(reads)) if len(reads) == 1 and reads == writes else None


def _stored_otherwise(
    layer: EngineLayer,
    info: LayerInfo,
    node: str,
    dtype: Precision,
    dump: EngineDump,
    producer: Mapping[str, str],
) -> bool:
    """Whether the layer plainly stores the node's own output in another float type."""
    if layer.foreign is not None:
        return False
    # A tensor with a name of TensorRT's own can only be the node's where the layer computes nothing else; and
    # Myelin fuses the cast for the next reader into the kernel, so that there it says nothing.
    alone = info.nodes == (node,) and not layer.in_myelin
    return any(
        t.precision in FLOATS
        and t.precision != dtype
        and t.name not in dump.bindings
        and not t.name.startswith("Reformatted ")
        and producer.get(t.name, node if alone else None) == node
        for t in layer.outputs
    )
