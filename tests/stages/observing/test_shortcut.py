"""The short way: what the emulator foresees is confirmed by one build, and what it can't foresee is found as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from contexts import context
from planted_graphs import BrokenKernels, Planted, planted_graph

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl


class Stubborn(BrokenKernels):
    """Builds all nodes in low precision, or none, or the model with nothing said; no mixture."""

    name = "moody"
    deterministic = False

    @hookimpl
    def trtdebug_backends(self) -> list[Stubborn]:
        return [self]

    def build(self, request: BuildRequest) -> Engine:
        pins = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        nodes = {n.name for n in load_model(request.model).graph.node if n.op_type != "Constant"}
        if pins and pins < nodes:
            raise BuildFailure("Could not find any implementation for node {ForeignNode[a...z]}.")
        return super().build(request)


class Moody(BrokenKernels):
    """Like a real builder it promises nothing of its next build, so that the emulator is asked first."""

    name = "moody"
    deterministic = False

    @hookimpl
    def trtdebug_backends(self) -> list[Moody]:
        return [self]


class Lucky(Moody):
    """Where it may choose, it chooses FP32."""

    def build(self, request: BuildRequest) -> Engine:
        if not any(isinstance(i, ForcePrecision) for i in request.interventions):
            everything = PinPrecision(tuple(n.name for n in load_model(request.model).graph.node))
            request = replace(request, interventions=(everything,))
        return super().build(request)


def diagnose(
    planted: Planted, folder: Path, builds: int = 1, backend: type[BrokenKernels] = Moody
) -> Diagnosis:
    plugins = PluginManager.load(builtins=[*BUILTINS, backend(planted.wrong)], third_party=False)
    x = np.random.default_rng(1).standard_normal((4, 16))
    return Debugger(context(folder, planted.model, "moody", plugins, builds, x=x), until="fix").run()


def planted(foreseeable: bool) -> Planted:
    """The first planted graph that has, or has not, only faults that the emulator knows (overflows)."""
    graphs = (planted_graph(seed, 40, 3) for seed in range(100))
    return next(g for g in graphs if (not g.wrong) == foreseeable)


def named(diagnosis: Diagnosis) -> frozenset[str]:
    return frozenset(n for c in diagnosis.culprits for n in c.nodes if c.proven)


def trials(diagnosis: Diagnosis) -> dict[str, int]:
    return {s.name: s.trials for s in diagnosis.stages}


def test_what_is_foreseen_takes_one_build(tmp_path: Path) -> None:
    graph = planted(foreseeable=True)
    diagnosis = diagnose(graph, tmp_path)
    assert (diagnosis.verdict, named(diagnosis)) == ("diverges", graph.culprits)
    assert diagnosis.fixes[-1].verified
    spent = trials(diagnosis)
    assert spent["sanity"] == 1  # as the user builds it: nothing more is needed
    assert (spent["observe"], spent["localise"]) == (1, 0)
    assert "without it" not in diagnosis.fixes[-1].note


def test_of_nodes_that_compute_the_same_the_one_that_was_built_is_told(tmp_path: Path) -> None:
    """The squares are two layers of the engine, and one of the model that shows each node by itself."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13]> g (float[4, 16] x) => (float[4, 16] y, float[4, 16] z)
        <float up = {1000}> { h = Mul(x, up) s1 = Mul(h, h) y = Sqrt(s1) t = Neg(h) s2 = Mul(t, t) z = Sqrt(s2) }"""
    )
    for node in model.graph.node:
        node.name = node.output[0]
    diagnosis = diagnose(Planted(model, frozenset(), frozenset()), tmp_path)
    told = {c.nodes[0]: c.evidence.partition(":")[0] for c in diagnosis.culprits}
    assert told["s1"] == "fed with the reference's inputs"
    assert told["s2"] == "fed with the reference's inputs (built was 's1', which computes the same)"


def test_without_own_builds_the_cause_is_named_and_the_open_question_too(tmp_path: Path) -> None:
    graph = planted(foreseeable=True)
    diagnosis = diagnose(graph, tmp_path, builds=0)
    assert (diagnosis.verdict, named(diagnosis)) == ("fragile", graph.culprits)
    assert diagnosis.builds == 0
    assert any("not built as you build it" in line for line in diagnosis.unknown)


def test_where_all_own_builds_pass_a_fix_tells_how_little_they_say(tmp_path: Path) -> None:
    graph = planted(foreseeable=True)
    diagnosis = diagnose(graph, tmp_path, builds=2, backend=Lucky)
    assert (diagnosis.verdict, named(diagnosis), diagnosis.failed_builds) == ("fragile", graph.culprits, 0)
    assert diagnosis.fixes[-1].verified
    assert diagnosis.fixes[-1].note.startswith(
        "your own builds pass without it, too; what shows its effect is a build with low precision forced"
    )


@pytest.mark.parametrize("builds", [0, 1])
def test_what_the_emulator_cannot_know_is_found_by_the_long_way(tmp_path: Path, builds: int) -> None:
    graph = planted(foreseeable=False)
    diagnosis = diagnose(graph, tmp_path, builds)
    assert named(diagnosis) == graph.culprits
    assert diagnosis.fixes[-1].verified
    assert [s.name for s in diagnosis.stages].count("foresee") == 1
    assert any("not built as you build it" in line for line in diagnosis.unknown) == (builds == 0)


@pytest.mark.parametrize("builds", [0, 2])
def test_a_healthy_model_is_built_as_the_user_does_before_it_is_called_so(
    tmp_path: Path, builds: int
) -> None:
    graph = planted_graph(7, 30, 0)
    diagnosis = diagnose(graph, tmp_path, builds)
    assert (diagnosis.verdict, diagnosis.builds) == ("matches", 2)


def test_a_builder_that_takes_no_mixture_is_not_asked_for_ever(tmp_path: Path) -> None:
    graph = planted_graph(1, 80, 2)
    diagnosis = diagnose(graph, tmp_path, backend=Stubborn)
    assert diagnosis.verdict == "diverges"
    assert diagnosis.trials.untestable <= 40
    assert not any(c.proven and not set(c.nodes) & graph.culprits for c in diagnosis.culprits)
    assert any("could not be tested" in line for line in diagnosis.unknown)
