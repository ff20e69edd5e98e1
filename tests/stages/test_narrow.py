"""Where a real builder goes wrong is narrowed down with few marks, and a fault that marks cure is named as such."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from planted_graphs import planted_graph

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.onnxruntime import OnnxruntimeBackend, OrtEngine
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.debugger import Debugger
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.narrow import bracket, spread
from trtdebug.stages.preflight import CaseRequest, prepare, store_samples


@dataclass
class Miscompiling(OnnxruntimeBackend):
    """A builder that computes one node wrongly.

    Attributes:
        wrong: the node; its output comes out tripled.
        fused_with: tensor across which it has to be fused for that; None = it is always wrong.
        most_outputs: builds nothing with more outputs than that.
    """

    wrong: str
    fused_with: str | None = None
    most_outputs: int = 10_000
    name = "miscompiling"
    realises = frozenset({"MarkOutputs"})
    deterministic = False

    @hookimpl
    def trtdebug_backends(self) -> list[Miscompiling]:
        return [self]

    def build(self, request: BuildRequest) -> Engine:
        model = load_model(request.model)
        marked = {t for i in request.interventions for t in getattr(i, "tensors", ())}
        outputs = {*(request.outputs or ()), *marked, *(o.name for o in model.graph.output)}
        if len(outputs) > self.most_outputs:
            raise BuildFailure("Could not find any implementation for node {ForeignNode[a...z]}.")
        names = {n.name for n in model.graph.node}
        if self.wrong in names and (self.fused_with is None or self.fused_with not in outputs):
            triple(model, self.wrong)
        return _Engine(model, sorted(outputs), request.workdir, self.name)


class _Engine(OrtEngine):
    def info(self) -> EngineInfo:
        return replace(super().info(), layers=(LayerInfo(f"{len(self._outputs)} outputs"),))

    def __init__(self, model: onnx.ModelProto, outputs: list[str], workdir: Path, backend: str) -> None:
        self._outputs = outputs
        super().__init__(model, outputs, workdir, backend)


def triple(model: onnx.ModelProto, name: str) -> None:
    place, node = next((i, n) for i, n in enumerate(model.graph.node) if n.name == name)
    inner, node.output[0] = node.output[0], f"{node.output[0]}__right"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(3), f"{name}__factor"))
    model.graph.node.insert(
        place + 1, helper.make_node("Mul", [node.output[0], f"{name}__factor"], [inner], f"{name}__wrong")
    )


def diagnose(model: onnx.ModelProto, backend: Miscompiling, folder: Path) -> Diagnosis:
    save_model(model, folder / "model.onnx")
    np.savez(folder / "inputs.npz", x=np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32))
    plugins = PluginManager.load(builtins=[*BUILTINS, backend], third_party=False)
    request = CaseRequest(folder / "model.onnx", candidate="miscompiling", inputs=folder / "inputs.npz")
    prepared = prepare(request, plugins)
    session = Session(folder / "session", InProcess(folder / "session", plugins.backends()))
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    return Debugger(Context(session, prepared.case, plugins), until="fix").run()


def influential(model: onnx.ModelProto) -> list[str]:
    """Nodes whose tripled output shows at the model's own."""
    index = GraphIndex(model)
    return [n for n in index.order if index.node(n).op in ("MatMul", "Mul", "Add", "Gemm")]


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_kernel_is_named_in_a_few_builds(seed: int, tmp_path: Path) -> None:
    model = planted_graph(seed, 150, 0).model
    nodes = influential(model)
    wrong = nodes[len(nodes) * (seed + 1) // 6]
    diagnosis = diagnose(model, Miscompiling(wrong), tmp_path)
    if diagnosis.verdict == "matches":
        pytest.skip("the tripled output of this node is lost on the way")
    [culprit] = diagnosis.culprits
    assert culprit.nodes == (wrong,)
    assert (culprit.kind, culprit.proven) == ("unknown", False)
    assert diagnosis.trials.builds <= 2 + 4


def test_a_fault_that_marks_cure_is_a_heisenbug(tmp_path: Path) -> None:
    model = planted_graph(3, 60, 0).model
    index = GraphIndex(model)
    wrong = influential(model)[len(influential(model)) // 2]
    across = next(t for t in index.node(wrong).reads if t in index.producer)
    diagnosis = diagnose(model, Miscompiling(wrong, fused_with=across), tmp_path)
    [culprit] = diagnosis.culprits
    assert culprit.kind == "fusion"
    assert wrong in culprit.nodes
    assert len(culprit.nodes) < 20
    assert any(f.id == "heisenbug" for f in diagnosis.findings)
    [marks] = diagnosis.fixes[-1].interventions
    assert across in marks.tensors
    assert diagnosis.fixes[-1].verified
    assert diagnosis.fixes[-1].kind == "fusion"


def test_where_marks_do_not_build_the_model_is_cut_off(tmp_path: Path) -> None:
    model = planted_graph(5, 60, 0).model
    wrong = influential(model)[len(influential(model)) // 2]
    diagnosis = diagnose(model, Miscompiling(wrong, most_outputs=1), tmp_path)
    [culprit] = diagnosis.culprits
    assert culprit.nodes == (wrong,)
    assert any("ForeignNode" in line for line in diagnosis.unknown)


def test_a_bracket_holds_what_lies_behind_no_agreeing_tensor() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "a"),
        helper.make_node("Relu", ["a"], ["b"], "b"),
        helper.make_node("Relu", ["a"], ["c"], "c"),
        helper.make_node("Add", ["b", "c"], ["y"], "y"),
    ]
    value = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    index = GraphIndex(helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:])))
    assert bracket(index, "y", []) == ("a", "b", "c", "y")
    assert bracket(index, "y", ["b"]) == ("a", "c", "y")
    assert bracket(index, "y", ["a"]) == ("b", "c", "y")
    assert bracket(index, "y", ["b", "c"]) == ("y",)


def test_marks_are_spread() -> None:
    assert spread("abc", 5) == ["a", "b", "c"]
    assert spread("abcdefghi", 2) == ["d", "g"]
