"""A builder that has several tactics for each layer, some worse than others, and takes the fastest of the day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from contexts import of_request
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.onnxruntime import OnnxruntimeBackend, OrtEngine
from trtdebug.backends.tensorrt.tactics import Choice, TacticChoice, TacticRules, TensorFormat
from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, Precision, UseTactic
from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.stages.opening.preflight import CaseRequest

IMPLEMENTATION = 0x80000009
_COPY = re.compile(r"__copy\d+")


@dataclass(frozen=True)
class Tactic:
    """`error`: relative, of all that the layer puts out; `milliseconds`: how fast it is, most days."""

    id: int
    error: float
    milliseconds: float
    type: str = "FLOAT"

    @property
    def choice(self) -> Choice:
        border = (TensorFormat(self.type),)
        return Choice(IMPLEMENTATION, self.id, border, border, self.milliseconds)


def graded(count: int, worst: float, best: float = 1e-7) -> tuple[Tactic, ...]:
    """Tactics from the most exact to the worst; the worse, the faster. Ids are signed, as TensorRT's are."""
    errors = np.geomspace(best, worst, count)
    return tuple(Tactic(i * 7919 - 100_000, float(e), 1 + 0.1 * (count - i)) for i, e in enumerate(errors))


@dataclass
class Tactical(OnnxruntimeBackend):
    """A builder that fuses MatMul and Relu, and has tactics for the result.

    Attributes:
        of_layer: tactics of a layer, by its name in the whole model ("mm0 + relu0").
        moods: how much the times change from build to build; relative.
        alone: tactics of a layer that stands alone, where they are others.
        broken: tactics that cannot be built alone.
        builds: how many there were.
    """

    of_layer: Callable[[str], tuple[Tactic, ...]]
    moods: float = 0.0
    alone: Callable[[str], tuple[Tactic, ...]] | None = None
    broken: frozenset[int] = frozenset()
    builds: int = field(default=0)
    name = "tactical"
    stands_in = False
    realises = frozenset({"PinPrecision", "ForcePrecision", "BanTactic", "UseTactic"})
    deterministic = False

    @hookimpl
    def trtdebug_backends(self) -> list[Tactical]:
        return [self]

    def build(self, request: BuildRequest) -> Engine:
        self.builds += 1
        model = load_model(request.model)
        bans = [i for i in request.interventions if isinstance(i, BanTactic)]
        uses = [i for i in request.interventions if isinstance(i, UseTactic)]
        choosing = TacticChoice(TacticRules.of(bans, uses))
        times = np.random.default_rng(self.builds)
        layers = []
        for first, last in list(_fused(model)):
            nodes = (first.name, last.name) if last is not first else (first.name,)
            layer = " + ".join(nodes)
            offered = self._offered(layer)
            allowed = choosing.select(layer, [t.choice for t in offered])
            slow = [offered[i].milliseconds * (1 + self.moods * times.random()) for i in allowed]
            tactic = offered[allowed[int(np.argmin(slow))]]
            if tactic.id in self.broken and _COPY.search(layer):
                raise BuildFailure(f"Could not find any implementation for node {layer}.", node=nodes[0])
            choosing.chosen[layer] = tactic.choice
            _err(model, last, tactic.error)
            kernel, identity = f"kernel_{tactic.id}", tactic.choice.name.partition(":")[2]
            layers.append(LayerInfo(layer, nodes, tactic=kernel, tactic_id=identity))
        choosing.check()
        info = EngineInfo(self.name, "1", layers=tuple(layers), ignored=choosing.ignored(layers))
        if choosing.rules:
            info = replace(info, tactics=choosing.tactics())
        outputs = list(dict.fromkeys((*(request.outputs or ()), *(o.name for o in model.graph.output))))
        return _Engine(model, outputs, request.workdir, info)

    def _offered(self, layer: str) -> tuple[Tactic, ...]:
        whole = _COPY.sub("", layer)
        return self.alone(whole) if self.alone is not None and whole != layer else self.of_layer(whole)


class _Engine(OrtEngine):
    def __init__(self, model: onnx.ModelProto, outputs: list[str], workdir: Path, info: EngineInfo) -> None:
        self._told = info
        super().__init__(model, outputs, workdir, info.backend)

    def info(self) -> EngineInfo:
        return self._told


def _fused(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto]]:
    for node in model.graph.node:
        if node.op_type == "MatMul":
            after = next((n for n in model.graph.node if node.output[0] in n.input), None)
            yield node, after if after is not None and after.op_type == "Relu" else node


def _err(model: onnx.ModelProto, node: onnx.NodeProto, error: float) -> None:
    """What the node puts out becomes `1 + error` times as large."""
    name = node.output[0]
    node.output[0] = f"{name}__exact"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 + error), f"{name}__factor"))
    place = next(i for i, n in enumerate(model.graph.node) if n.name == node.name)
    off = helper.make_node("Mul", [node.output[0], f"{name}__factor"], [name], f"{name}__off")
    model.graph.node.insert(place + 1, off)


def tower(depth: int, width: int = 16) -> onnx.ModelProto:
    """`depth` times MatMul and Relu: nodes mm0, relu0, mm1, ..., on x [4, 16]; no Relu at the end."""
    random = np.random.default_rng(0)
    nodes, weights, x = [], [], "x"
    for k in range(depth):
        weight = random.normal(0, (2 / width) ** 0.5, (width, width)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{k}"))
        nodes.append(helper.make_node("MatMul", [x, f"w{k}"], [f"mm{k}"], f"mm{k}"))
        x = f"mm{k}"
        if k + 1 < depth:
            nodes.append(helper.make_node("Relu", [x], [f"relu{k}"], f"relu{k}"))
            x = f"relu{k}"
    io = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, width]) for n in ("x", x)]
    graph = helper.make_graph(nodes, "tower", io[:1], io[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def debugger(
    model: onnx.ModelProto,
    backend: Tactical,
    folder: Path,
    rms: float,
    precision: Precision = "fp16",
    builds: int = 2,
    good_tactics: Path | None = None,
) -> Debugger:
    """The pipeline, ready to run; a fix has to hold in five builds."""
    save_model(model, folder / "model.onnx")
    plugins = PluginManager.load(builtins=[*BUILTINS, backend], third_party=False)
    request = CaseRequest(
        folder / "model.onnx",
        BuildOptions(precision, tf32=False),
        candidate=backend.name,
        tolerance=Tolerance(rms_rel=rms),
        builds=builds,
        fix_builds=5,
        good_tactics=good_tactics,
    )
    return Debugger(of_request(request, folder / "session", plugins), until="fix")
