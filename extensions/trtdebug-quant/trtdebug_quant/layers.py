"""Quantised layers: nodes that compute with what a Q/DQ pair gives."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from trtdebug.graph.index import Node
from trtdebug.graph.view import GraphView
from trtdebug_quant.pairs import DEQUANTIZE, QUANTIZE, Pair, find_pairs

MOVES = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity", "Expand")
"""Operators that give on what they read: quantised before or behind them is the same."""


@dataclass(frozen=True)
class Operand:
    """One read of a quantised tensor.

    Attributes:
        reader: the node that reads `pair.result` at `position`: the layer's own, or one that moves it there.
    """

    pair: Pair
    reader: str
    position: int


@dataclass(frozen=True)
class Layer:
    """A node, and the pairs that are there for its sake.

    Attributes:
        operands: what it reads quantised.
        ends: pairs between what it computes and an output of the graph.
        result: the tensor to compare: what it writes, or the output of the graph behind `ends`.
    """

    node: str
    op: str
    operands: tuple[Operand, ...]
    ends: tuple[Pair, ...]
    result: str


def find_layers(view: GraphView) -> tuple[Layer, ...]:
    """All quantised layers of the top-level graph, in topological order.

    A pair belongs to whoever reads it, behind nodes that only move values and that nobody else reads; one that writes
    an output of the graph belongs to the node before it.
    """
    operands: dict[str, list[Operand]] = defaultdict(list)
    ends: dict[str, list[Pair]] = defaultdict(list)
    for pair in find_pairs(view):
        if not pair.fits(view.shape(pair.source)):
            continue  # onnxruntime does not run that
        for reader in view.readers(pair.result):
            owner = _owner(view, reader)
            for position in (i for i, name in enumerate(reader.inputs) if name == pair.result):
                operands[owner].append(Operand(pair, reader.name, position))
        if pair.result in view.index.outputs:
            ends[view.index.producer.get(pair.source, pair.dequantize)].append(pair)
    names = [name for name in view.index.order if name in operands or name in ends]
    return tuple(_layer(view.index.node(name), operands[name], ends[name]) for name in names)


def _layer(node: Node, operands: list[Operand], ends: list[Pair]) -> Layer:
    result = ends[0].result if ends else node.writes[0]
    return Layer(node.name, node.op, tuple(operands), tuple(ends), result)


def _owner(view: GraphView, reader: Node) -> str:
    """The node that computes with what `reader` reads: the first that does more than move it."""
    while view.is_op(reader, *MOVES):
        behind = view.readers(reader.outputs[0])
        if len(behind) != 1 or reader.outputs[0] in view.index.outputs:
            break
        if view.is_op(behind[0], QUANTIZE, DEQUANTIZE):
            break
        reader = behind[0]
    return reader.name
