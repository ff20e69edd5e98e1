"""The emulator as a builder that fuses a convolution with the Add and the ReLU behind it into one layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import onnx

from trtdebug.backends.base import BuildRequest, Engine, Feeds, Tensor
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.graph.load import load_model
from trtdebug.plugins.spec import hookimpl


@dataclass
class FusedEngine:
    engine: Engine
    layers: tuple[tuple[str, ...], ...]
    refused: tuple[str, ...]

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        return self.engine.run(feeds)

    def info(self) -> EngineInfo:
        layers = tuple(LayerInfo(" + ".join(nodes), nodes) for nodes in self.layers)
        return replace(self.engine.info(), layers=layers, refused=self.refused)

    def close(self) -> None:
        self.engine.close()


class FusingBackend(EmulatorBackend):
    """Attributes:
    mixes: it gives nodes of one layer different precisions; else it refuses one of them, as TensorRT 8.6 does.
    """

    name = "fusing"
    stands_in = False

    def __init__(self, mixes: bool = False) -> None:
        super().__init__()
        self.mixes = mixes

    @hookimpl
    def trtdebug_backends(self) -> Iterable[FusingBackend]:
        return (self,)

    def build(self, request: BuildRequest) -> Engine:
        layers = fused(load_model(request.model))
        pins = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        forced = any(isinstance(i, ForcePrecision) for i in request.interventions)
        mixed = [
            nodes for nodes in layers if forced and not self.mixes and 0 < len(pins & {*nodes}) < len(nodes)
        ]
        refused = tuple(next(n for n in nodes if n not in pins) for nodes in mixed)
        return FusedEngine(super().build(request), layers, refused)


def fused(model: onnx.ModelProto) -> tuple[tuple[str, ...], ...]:
    """Conv + Relu, and Conv + Add + Relu, by node names."""
    writer = {tensor: node for node in model.graph.node for tensor in node.output}
    layers = []
    for relu in (n for n in model.graph.node if n.op_type == "Relu"):
        nodes, before = [relu], writer.get(relu.input[0])
        if before is not None and before.op_type == "Add":
            nodes.append(before)
            before = next(
                (w for t in before.input if (w := writer.get(t)) is not None and w.op_type == "Conv"), None
            )
        if before is not None and before.op_type == "Conv":
            layers.append(tuple(n.name for n in (before, *reversed(nodes))))
    return tuple(layers)
