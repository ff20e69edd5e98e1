"""The emulator with a kernel that is wrong only where two nodes that follow each other both work in low precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import helper, numpy_helper

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.intervention import PinPrecision
from trtdebug.graph.load import load_model, save_model


class PairFault(EmulatorBackend):
    """What `first` gives is `factor` times as large where `second` reads it, and neither of them is pinned."""

    name = "pair-fault"
    stands_in = False

    def __init__(self, first: str, second: str, factor: float) -> None:
        self.first, self.second, self.factor = first, second, factor

    def build(self, request: BuildRequest) -> Engine:
        model = load_model(request.model)
        pins = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        nodes = {n.name: n for n in model.graph.node if n.name not in pins}
        if not {self.first, self.second} <= nodes.keys():
            return super().build(request)
        first, second = nodes[self.first], nodes[self.second]
        tensor = first.output[0]
        if tensor not in second.input:
            return super().build(request)
        place = list(model.graph.node).index(second)
        second.input[list(second.input).index(tensor)] = f"{tensor}__wrong"
        factor = numpy_helper.from_array(np.float32(self.factor), "planted__factor")
        model.graph.initializer.append(factor)
        wrong = helper.make_node("Mul", [tensor, "planted__factor"], [f"{tensor}__wrong"], "planted")
        model.graph.node.insert(place, wrong)
        path = request.workdir / "pair-fault.onnx"
        save_model(model, path)
        others = tuple(i for i in request.interventions if not isinstance(i, PinPrecision))
        pinned = PinPrecision((*sorted(pins), "planted"))
        return super().build(replace(request, model=path, interventions=(*others, pinned)))
