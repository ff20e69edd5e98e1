"""The float model that a Q/DQ model was made from, matched by the names of nodes and tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import onnx

from trtdebug.graph.view import GraphView
from trtdebug_quant.layers import Operand
from trtdebug_quant.pairs import Array, Pair


@dataclass(frozen=True)
class Original:
    """What the float model has in the place of what is quantised."""

    view: GraphView

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Original:
        """Args: model: nodes named as in the Q/DQ model, as quantisers leave them."""
        return cls(GraphView(model))

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(node.name for node in self.view.index.nodes)

    def weight(self, operand: Operand, shape: tuple[int, ...]) -> Array | None:
        """The float constant that the same node reads there; None where there is none of this shape."""
        if operand.reader not in self._names:
            return None
        inputs = self.view.index.node(operand.reader).inputs
        value = self.view.value(inputs[operand.position]) if operand.position < len(inputs) else None
        fits = value is not None and value.shape == shape and value.dtype.kind == "f"
        return value if fits else None

    def activation(self, quantised: GraphView, pair: Pair) -> str | None:
        """Name of the tensor that the pair quantises: that of the same node's output, or of the same name."""
        writer = quantised.index.producer.get(pair.source)
        if writer is not None and writer in self._names:
            position = quantised.index.node(writer).outputs.index(pair.source)
            outputs = self.view.index.node(writer).outputs
            return outputs[position] if position < len(outputs) else None
        known = pair.source in self.view.index.inputs or pair.source in self.view.index.producer
        return pair.source if known else None
