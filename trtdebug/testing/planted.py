"""A candidate that goes wrong just where a test says: so what has to be found is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OrtEngine
from trtdebug.backends.pins import check_pins
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.plugins.spec import hookimpl

_FACTORS = {"wrong": 3.0, "nan": float("nan"), "inf": float("inf")}


@dataclass(frozen=True)
class Fault:
    """A node that goes wrong where it works in low precision.

    Attributes:
        node: its name; its first output is the wrong one.
        kind: "wrong": three times too large; "nan", "inf": not finite.
    """

    node: str
    kind: Literal["wrong", "nan", "inf"] = "wrong"


class PlantedFaults(EmulatorBackend):
    """The backend `planted`: onnxruntime without any rounding, and with these faults. It registers itself.

    Example::

        debugged(model, {"x": x}, PlantedFaults([Fault("node_of_e", "inf")]), plugins=[my_extension])
    """

    name = "planted"
    summary = "faults where a test wants them"
    stands_in = False  # it is the builder that a test is about

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)

    def build(self, request: BuildRequest) -> Engine:
        """Raises `BuildFailure` for a fault in a node that the model does not have."""
        model = load_model(request.model)
        index, low = GraphIndex(model), _low(request, model)
        for fault in self.faults:
            if fault.node not in index:
                raise BuildFailure(f"a fault is planted in {fault.node!r}, which is no node of the model.")
            if fault.node in low:
                _plant(model, fault.node, _FACTORS[fault.kind])
        return OrtEngine(model, request.outputs, request.workdir, backend=self.name)

    @hookimpl
    def trtdebug_backends(self) -> Iterable[PlantedFaults]:
        return (self,)


def _low(request: BuildRequest, model: onnx.ModelProto) -> set[str]:
    pinned = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
    check_pins(sorted(pinned), model, request.model.name)
    forced = any(isinstance(i, ForcePrecision) for i in request.interventions)
    low = forced or request.options.precision in ("fp16", "bf16")
    return {n.name for n in model.graph.node} - pinned if low else set()


def _plant(model: onnx.ModelProto, name: str, factor: float) -> None:
    place = next(i for i, node in enumerate(model.graph.node) if node.name == name)
    node = model.graph.node[place]
    right, wrong, by = node.output[0], f"{node.output[0]}__right", f"{node.output[0]}__factor"
    node.output[0] = wrong
    model.graph.initializer.append(numpy_helper.from_array(np.float32(factor), by))
    model.graph.node.insert(place + 1, helper.make_node("Mul", [wrong, by], [right], f"{name}__planted"))
