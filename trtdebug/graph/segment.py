"""A part of a model as a model that stands by itself and puts out just what is needed elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.types import TensorType


def cut_segment(
    model: onnx.ModelProto, index: GraphIndex, nodes: Iterable[str], types: Mapping[str, TensorType]
) -> onnx.ModelProto:
    """These nodes, as `extract` gives them, without the outputs that nobody reads.

    A node of which nobody reads anything keeps its outputs: a graph has to put out something.

    Args:
        index: of `model`.
        types: of the segment's inputs at least.

    Raises:
        UserError: as `extract`.
    """
    chosen = frozenset(nodes)
    piece = extract(model, chosen, types)
    read = index.consumers.keys() | set(index.outputs)
    idle = {name for name in chosen if read.isdisjoint(index.node(name).writes)}
    outputs = [o for o in piece.graph.output if o.name in read or index.producer[o.name] in idle]
    del piece.graph.output[:]
    piece.graph.output.extend(outputs)
    return piece


def segment_inputs(model: onnx.ModelProto, index: GraphIndex, nodes: Iterable[str]) -> tuple[str, ...]:
    """Tensors that the segment of these nodes reads and that are no weights, in order of first use."""
    chosen = frozenset(nodes)
    fixed = constant_tensors(model).keys() | index.initializers
    written = {tensor for name in chosen for tensor in index.node(name).writes}
    reads = (tensor for name in index.order if name in chosen for tensor in index.node(name).reads)
    return tuple(dict.fromkeys(t for t in reads if t not in written and t not in fixed))


def weight_nodes(model: onnx.ModelProto, index: GraphIndex) -> frozenset[str]:
    """Constant nodes that somebody reads: each model that is cut out has their values as initialisers."""
    fixed = constant_tensors(model).keys()
    return frozenset(
        node.name
        for node in index.nodes
        if not node.reads and not node.has_body and node.writes
        if fixed.__contains__(node.writes[0]) and node.writes[0] in index.consumers
        if node.writes[0] not in index.outputs
    )
