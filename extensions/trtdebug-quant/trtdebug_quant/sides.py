"""Which model is the Q/DQ one, and which the float one that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from trtdebug.core.case import Case
from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.graph.view import GraphView
from trtdebug_quant.layers import Layer, Operand, find_layers
from trtdebug_quant.original import Original
from trtdebug_quant.pairs import Array, Pair, find_pairs


@dataclass(frozen=True)
class Sides:
    """The models of a case.

    Attributes:
        quantised: what the candidate builds.
        float_model: the reference's model, where it is another one.
    """

    quantised: GraphView
    float_model: onnx.ModelProto | None = None

    @classmethod
    def of(cls, model: onnx.ModelProto, index: GraphIndex, case: Case | None) -> Sides | None:
        """The candidate's own model goes first; None where that is an engine, which holds no graph to look into."""
        if case is None or case.candidate_model is None:
            return cls(GraphView(model, index))
        try:
            return cls(GraphView(load_model(Path(case.candidate_model))), model)
        except UserError:
            return None

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        return find_pairs(self.quantised)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return find_layers(self.quantised)

    @cached_property
    def original(self) -> Original | None:
        return None if self.float_model is None else Original.of(self.float_model)

    def weight(self, pair: Pair) -> Array | None:
        """Float values of a weight: those that the model itself quantises, else the float model's."""
        value = self.quantised.value(pair.source)
        if pair.quantize is not None or self.original is None or value is None:
            return value if pair.quantize is not None else None
        found = (self.original.weight(o, value.shape) for o in self._operands.get(pair.dequantize, ()))
        return next((weight for weight in found if weight is not None), None)

    @cached_property
    def _operands(self) -> dict[str, list[Operand]]:
        """By DequantizeLinear, who reads it."""
        found: dict[str, list[Operand]] = {}
        for layer in self.layers:
            for operand in layer.operands:
                found.setdefault(operand.pair.dequantize, []).append(operand)
        return found
