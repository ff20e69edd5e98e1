"""A model that is not built, and would be wrong if it were: both are told, and how to go on from the first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from cases import finding
from contexts import of_request
from function_models import DOMAIN, one_of_two
from seed_models import weight

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.build_error import BuildError
from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import BuildFailure
from trtdebug.core.finding import Finding
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_skeleton, save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, CheckContext
from trtdebug.stages.opening.preflight import CaseRequest


class TakesNoFunctions(EmulatorBackend):
    """Its parser knows no functions of a model, as TensorRT 8.6's."""

    name = "no-functions"
    stands_in = False
    deterministic = False

    @hookimpl
    def trtdebug_backends(self) -> list[TakesNoFunctions]:
        return [self]

    def build(self, request: BuildRequest) -> Engine:
        for node in load_skeleton(request.model).graph.node:
            if node.domain == DOMAIN:
                error = BuildError("parse", "plugin not found", "UNSUPPORTED_NODE", node.name, node.op_type)
                raise BuildFailure(str(error), node=node.name, errors=(error,))
        return super().build(request)


def overflowing(factor: float) -> onnx.ModelProto:
    """A function called twice, the second time with this factor: in FP16 it overflows with 60000, and not with 8."""
    model = one_of_two()
    model.graph.initializer[0].CopyFrom(weight("w", np.full(4, 40.0, np.float32)))
    model.graph.node[2].attribute[0].f = factor
    return model


class Overflow:
    """A check of the reference's values, as trtdebug-layernorm has it."""

    @hookimpl
    def trtdebug_checks(self) -> list[Check]:
        return [Check("overflow", "values beyond FP16", self.run)]

    def run(self, context: CheckContext) -> Iterator[Finding]:
        if context.reference is not None:
            peak = max(abs(v).max() for v in context.reference(context.index.outputs).values())
            yield Finding("overflow", "error", f"values up to {peak} pass FP16")


def diagnosed(model: onnx.ModelProto, folder: Path, *extensions: object) -> Diagnosis:
    path = folder / f"{len(list(folder.iterdir()))} model.onnx"
    save_model(model, path)
    plugins = PluginManager.load(builtins=[*BUILTINS, TakesNoFunctions(), *extensions], third_party=False)
    request = CaseRequest(path, BuildOptions("fp16"), candidate="no-functions")
    return Debugger(of_request(request, path.with_suffix(""), plugins), until="fix").run()


def test_what_is_built_once_rewritten_and_is_wrong_then_goes_on_from_there(tmp_path: Path) -> None:
    diagnosis = diagnosed(overflowing(60000.0), tmp_path)
    assert (diagnosis.verdict, diagnosis.signature.kind) == ("untestable", "build-failure")
    [fix] = diagnosis.fixes
    assert (fix.verified, fix.built) == (False, True)
    told = finding(diagnosis, "built-and-wrong")
    assert told.message.startswith("With the model's functions inlined the candidate builds the model")
    [path] = re.findall(r"`trtdebug run '(.+)'`", told.mitigation)
    second = diagnosed(onnx.load(path), tmp_path)
    assert second.verdict == "diverges"
    assert any(name.startswith("up") for culprit in second.culprits for name in culprit.nodes)
    assert second.fixes[-1].verified


def test_what_is_right_once_rewritten_is_fixed_and_nothing_more_is_told(tmp_path: Path) -> None:
    diagnosis = diagnosed(overflowing(8.0), tmp_path)
    assert diagnosis.fixes[-1].verified
    assert not [f for f in diagnosis.findings if f.id == "built-and-wrong"]


def test_large_values_are_no_reason_why_a_model_is_not_built(tmp_path: Path) -> None:
    diagnosis = diagnosed(overflowing(60000.0), tmp_path, Overflow())
    assert finding(diagnosis, "overflow").severity == "error"
    assert "plugin not found" in diagnosis.reason
    assert "pass FP16" not in diagnosis.reason
