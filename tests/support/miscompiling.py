"""A builder that computes one node wrongly, until marks, broken fusions or switches keep it from that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from several_workers import Counting, Threads

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.onnxruntime import OnnxruntimeBackend, OrtEngine
from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BreakFusion, Knob, MarkOutputs
from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.debugger import Debugger
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.session.executor import InProcess
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples

Knobs = frozenset[Knob]


@dataclass
class Miscompiling(OnnxruntimeBackend):
    """A builder that computes one node wrongly.

    Attributes:
        wrong: the node; its output comes out tripled.
        fused_with: tensors across which it has to be fused for that: it is right once all of them are cut; none =
            it is always wrong.
        switches: what it says that is worth a try.
        cures: sets of switches, each of which makes it right.
        right: of these builds, counted from 0, it is right by chance; of all others it is wrong.
        lucky: a switch with which the first build is right, and no other.
        unbuilt: of the outputs and the switches of a build: it does not build.
        unmarkable: operators whose tensors cannot be outputs unless the model has them as such, as TensorRT's shapes
            and constants.
        builds: how many builds there were with these switches.
    """

    wrong: str
    fused_with: tuple[str, ...] = ()
    switches: tuple[Knob, ...] = ()
    cures: tuple[Knobs, ...] = ()
    right: Callable[[int], bool] = lambda number: False
    lucky: Knob | None = None
    unbuilt: Callable[[Collection[str], Knobs], bool] = lambda outputs, knobs: False
    unmarkable: frozenset[str] = frozenset()
    builds: Counter[Knobs] = field(default_factory=Counter)
    name = "miscompiling"
    stands_in = False
    realises = frozenset({"MarkOutputs", "Knob"})
    deterministic = False

    @hookimpl
    def trtdebug_backends(self) -> list[Miscompiling]:
        return [self]

    def knobs(self, options: BuildOptions, operators: Collection[str]) -> tuple[Knob, ...]:
        return self.switches

    def build(self, request: BuildRequest) -> Engine:
        model = load_model(request.model)
        marked = {t for i in request.interventions if isinstance(i, MarkOutputs) for t in i.tensors}
        broken = {i.tensor for i in request.interventions if isinstance(i, BreakFusion)}
        knobs = frozenset(i for i in request.interventions if isinstance(i, Knob))
        own = {o.name for o in model.graph.output}
        unmarked = {t for n in model.graph.node if n.op_type in self.unmarkable for t in n.output} - own
        asked = {*(request.outputs or ()), *marked, *own}
        outputs = asked - unmarked
        if self.unbuilt(outputs, knobs):
            raise BuildFailure("Could not find any implementation for node {ForeignNode[a...z]}.")
        cut = bool(self.fused_with) and set(self.fused_with) <= outputs | broken
        switched = any(cure <= knobs for cure in self.cures)
        by_chance = self.right(self.builds.total())
        self.builds[knobs] += 1
        lucky = by_chance or (self.lucky in knobs and self.builds[knobs] == 1)
        if self.wrong in {n.name for n in model.graph.node} and not (cut or switched or lucky):
            triple(model, self.wrong)
        return _Engine(model, sorted(outputs), request.workdir, self.name, tuple(sorted(asked & unmarked)))


class _Engine(OrtEngine):
    def info(self) -> EngineInfo:
        layers = (LayerInfo(f"{len(self._outputs)} outputs"),)
        return replace(super().info(), layers=layers, unmarked=self._unmarked)

    def __init__(
        self,
        model: onnx.ModelProto,
        outputs: list[str],
        workdir: Path,
        backend: str,
        unmarked: tuple[str, ...],
    ) -> None:
        self._outputs, self._unmarked = outputs, unmarked
        super().__init__(model, outputs, workdir, backend)


def triple(model: onnx.ModelProto, name: str) -> None:
    place, node = next((i, n) for i, n in enumerate(model.graph.node) if n.name == name)
    inner, node.output[0] = node.output[0], f"{node.output[0]}__right"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(3), f"{name}__factor"))
    model.graph.node.insert(
        place + 1, helper.make_node("Mul", [node.output[0], f"{name}__factor"], [inner], f"{name}__wrong")
    )


def diagnose(model: onnx.ModelProto, backend: Miscompiling, folder: Path, *extensions: object) -> Diagnosis:
    return Debugger(opened(model, backend, folder, *extensions), until="fix").run()


def opened(
    model: onnx.ModelProto, backend: Miscompiling, folder: Path, *extensions: object, workers: int = 1
) -> Context:
    """Its session is a `Counting` one."""
    save_model(model, folder / "model.onnx")
    np.savez(folder / "inputs.npz", x=np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32))
    plugins = PluginManager.load(builtins=[*BUILTINS, backend, *extensions], third_party=False)
    request = CaseRequest(folder / "model.onnx", candidate="miscompiling", inputs=folder / "inputs.npz")
    prepared = prepare(request, plugins)
    executor = Threads(InProcess(folder / "session", plugins.backends()), workers)
    session = Counting(folder / "session", executor)
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    return Context(session, prepared.case, plugins)


def influential(model: onnx.ModelProto) -> list[str]:
    """Nodes whose tripled output shows at the model's own."""
    index = GraphIndex(model)
    return [n for n in index.order if index.node(n).op in ("MatMul", "Mul", "Add", "Gemm")]
