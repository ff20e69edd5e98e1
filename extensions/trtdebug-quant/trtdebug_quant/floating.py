"""The same model with some layers left in float, and one whose layers are quantised at the turn of a switch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.view import GraphView
from trtdebug.graph.walk import captured
from trtdebug_quant.layers import Layer, Operand
from trtdebug_quant.original import Original
from trtdebug_quant.pairs import DEQUANTIZE, QUANTIZE, Array, Pair, dequantised

_LEFT_OVER = (QUANTIZE, DEQUANTIZE, "Constant")


@dataclass(frozen=True)
class Switched:
    """A model with one more input a layer, a scalar bool: whether the layer is quantised.

    Attributes:
        switches: by layer (node name), the input.
        results: by layer, the tensor that it writes.
        operands: by layer and name of the quantised tensor, what the layer reads in its place; weights whose float
            values are not known are not there.
    """

    model: onnx.ModelProto
    switches: dict[str, str]
    results: dict[str, str]
    operands: dict[str, dict[str, str]]


def unquantised(view: GraphView, layers: Iterable[Layer], original: Original | None) -> onnx.ModelProto:
    """The model without the pairs of these layers; other readers of the same tensors keep theirs.

    Weights are the float model's; without it, what the integers stand for.
    """
    draft = _Draft(view, original)
    for layer in layers:
        for operand in layer.operands:
            draft.read(operand, draft.float_of(operand))
        for pair in layer.ends:
            draft.detach(pair)
            draft.add("Relu" if pair.rectifies else "Identity", [pair.source], pair.result)
    draft.place()
    draft.prune()
    return draft.model


def switched(view: GraphView, layers: Iterable[Layer], original: Original | None) -> Switched:
    """Every layer of these both ways, chosen by a switch; its quantised operands and its result are outputs."""
    draft = _Draft(view, original)
    found = Switched(draft.model, {}, {}, {})
    inner = {pair.result: draft.detach(pair) for layer in layers for pair in layer.ends}
    for layer in layers:
        switch = draft.names.fresh(f"{layer.node}_quantised")
        draft.model.graph.input.append(helper.make_tensor_value_info(switch, TensorProto.BOOL, []))
        found.switches[layer.node], found.results[layer.node] = switch, layer.result
        operands = found.operands.setdefault(layer.node, {})
        for operand in filter(draft.is_known, layer.operands):
            pair = operand.pair
            if pair.source not in operands:
                both = [switch, inner.get(pair.result, pair.result), draft.float_of(operand)]
                operands[pair.source] = draft.add("Where", both, draft.names.fresh(f"{pair.result}_chosen"))
            draft.read(operand, operands[pair.source])
        for pair in layer.ends:
            plain = draft.rectified(pair) if pair.rectifies else pair.source
            draft.add("Where", [switch, inner[pair.result], plain], pair.result)
    draft.place()
    graph = draft.model.graph
    wanted = [*found.results.values(), *(t for named in found.operands.values() for t in named.values())]
    given = {value.name for value in graph.output}
    graph.output.extend(onnx.ValueInfoProto(name=t) for t in dict.fromkeys(wanted) if t not in given)
    return found


class _Draft:
    """A copy of the model that is rewired."""

    def __init__(self, view: GraphView, original: Original | None) -> None:
        self.view, self.original = view, original
        self.model = onnx.ModelProto()
        self.model.CopyFrom(view.model)
        self.names = FreshNames(names_in(view.model.graph))
        named = zip(view.index.nodes, self.model.graph.node, strict=True)
        self.nodes = {node.name: proto for node, proto in named}
        self.added: list[onnx.NodeProto] = []
        self._relus: dict[str, str] = {}

    def read(self, operand: Operand, tensor: str) -> None:
        """Has the operand's reader read another tensor."""
        self.nodes[operand.reader].input[operand.position] = tensor

    def add(self, op: str, inputs: list[str], to: str) -> str:
        """A node that writes `to`; `place` gives it its place."""
        name = self.names.fresh(f"{to}_{op.lower()}")
        self.added.append(helper.make_node(op, inputs, [to], name=name))
        return to

    def detach(self, pair: Pair) -> str:
        """Frees the name of what the pair writes; whoever reads it goes on to, by the new name."""
        inner = self.names.fresh(f"{pair.result}_dequantised")
        self.nodes[pair.dequantize].output[0] = inner
        for node in self.nodes.values():
            for position, name in enumerate(node.input):
                if name == pair.result:
                    node.input[position] = inner
        return inner

    def is_known(self, operand: Operand) -> bool:
        """Whether what is quantised is known in float: not so where a weight stands as integers only."""
        pair = operand.pair
        return not pair.constant or pair.quantize is not None or self._weight(operand) is not None

    def float_of(self, operand: Operand) -> str:
        """The tensor that the layer would read were it not quantised."""
        pair, weight = operand.pair, self._weight(operand)
        if weight is None and (not pair.constant or pair.quantize is not None):
            return self.rectified(pair) if pair.rectifies else pair.source
        value = dequantised(self.view, pair) if weight is None else weight
        dtype = np.float16 if self.view.dtype(pair.result) == "float16" else np.float32
        name = self.names.fresh(f"{pair.source}_float")
        kept = np.ascontiguousarray(value.astype(dtype))
        self.model.graph.initializer.append(numpy_helper.from_array(kept, name))
        return name

    def rectified(self, pair: Pair) -> str:
        """Quantisers leave a Relu out where a pair takes its place."""
        if pair.source not in self._relus:
            self._relus[pair.source] = self.add(
                "Relu", [pair.source], self.names.fresh(f"{pair.source}_relu")
            )
        return self._relus[pair.source]

    def _weight(self, operand: Operand) -> Array | None:
        """The float model's own values of a weight."""
        value = self.view.value(operand.pair.source)
        if self.original is None or value is None:
            return None
        return self.original.weight(operand, value.shape)

    def place(self) -> None:
        """Puts each added node behind the last writer of what it reads; what it reads was added before it."""
        graph = self.model.graph
        writer = {tensor: i for i, node in enumerate(graph.node) for tensor in node.output}
        behind: dict[int, list[onnx.NodeProto]] = {}
        for node in self.added:
            last = max(writer.get(tensor, -1) for tensor in node.input)
            behind.setdefault(last, []).append(node)
            writer[node.output[0]] = last
        ordered = list(behind.get(-1, ()))
        for i, node in enumerate(graph.node):
            ordered += [node, *behind.get(i, ())]
        del graph.node[:]
        graph.node.extend(ordered)

    def prune(self) -> None:
        """Takes out pairs and constants that nobody reads any more."""
        graph = self.model.graph
        ends = {value.name for value in (*graph.input, *graph.output)}
        kept = list(graph.node)
        while True:
            read = ends | {tensor for node in kept for tensor in (*node.input, *captured(node))}
            alive = [n for n in kept if n.op_type not in _LEFT_OVER or read & set(n.output)]
            if len(alive) == len(kept):
                break
            kept = alive
        constants = [tensor for tensor in graph.initializer if tensor.name in read]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(kept)
        graph.initializer.extend(constants)
