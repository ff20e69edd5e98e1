"""A Q/DQ model in one session, in which every layer can be quantised or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import onnx

from trtdebug.graph.view import GraphView
from trtdebug.plugins.types import Sample, Tensor
from trtdebug_quant.floating import switched
from trtdebug_quant.layers import find_layers
from trtdebug_quant.original import Original
from trtdebug_quant.runner import Runner
from trtdebug_quant.sqnr import Sqnr, worst

_SAME_DB = 40.0
"""With no layer quantised, the model's outputs have to be those of the float model this well, else its weights are not
the ones that were quantised."""


class Bench:
    """The switched model.

    Attributes:
        layers: in topological order.
        ends: names of the model's float outputs.
        original: the float model whose weights count; None where there is none, or where it does not fit. Then weights
            that stand as integers count as right, whatever was lost when they were rounded.
        misfit: why the float model that was given does not fit; else empty.

    Raises:
        UserError: onnxruntime does not load one of the models, or does not run it.
    """

    def __init__(self, view: GraphView, float_model: onnx.ModelProto | None, sample: Sample) -> None:
        self.layers = find_layers(view)
        self.ends = [t for t in view.index.outputs if (view.dtype(t) or "float32").startswith("float")]
        self.original = Original.of(float_model) if float_model is not None else None
        self.misfit = ""
        self._load(view)
        if float_model is not None:
            self.misfit = self._differs(float_model, sample)
        if self.misfit:
            self.original = None
            self._load(view)

    def _load(self, view: GraphView) -> None:
        self.switched = switched(view, self.layers, self.original)
        self._runner = Runner(self.switched.model)

    def run(self, sample: Sample, on: Collection[str], names: Iterable[str]) -> dict[str, Tensor]:
        """These tensors with these layers quantised and no others."""
        switches = {switch: np.array(layer in on) for layer, switch in self.switched.switches.items()}
        return self._runner.run({**sample, **switches}, names)

    def tensors(self, layer: str) -> list[str]:
        """What the layer writes, and what it reads in the place of its quantised operands."""
        return [self.switched.results[layer], *self.switched.operands[layer].values()]

    def _differs(self, float_model: onnx.ModelProto, sample: Sample) -> str:
        names = [v.name for v in float_model.graph.output if v.name in self.ends]
        if not names:
            return "the float model has none of its float outputs"
        constants = {tensor.name for tensor in float_model.graph.initializer}
        inputs = [v.name for v in float_model.graph.input if v.name not in constants]
        own = Runner(float_model).run({n: sample[n] for n in inputs if n in sample}, names)
        ours = self.run(sample, (), names)
        same: dict[str, Sqnr] = {}
        for name in names:
            same.setdefault(name, Sqnr()).add(own[name], ours[name])
        if worst(same) >= _SAME_DB:
            return ""
        return f"with no layer quantised the outputs are not those of the float model (SQNR {worst(same):.1f} dB)"
