"""A backend that does not build with certain sets of tensors marked, and open cases of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contexts import of_request, plugins_with
from unbuildable_graphs import Refusing

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.onnxruntime import OrtEngine
from trtdebug.core.build_error import BuildError
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import EVERY_TENSOR, MarkOutputs, Precision
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest


@dataclass
class RefusesMarks(Refusing):
    """onnxruntime, but for builds in which all tensors of a set are outputs: marked, or the model's own.

    Attributes:
        marks: the sets.
        invalid: a tensor that cannot be marked without the others of its set, for another reason.
        only_with: nodes that have to be in the model for it to be refused.
    """

    marks: frozenset[frozenset[str]] = frozenset()
    invalid: str = ""
    only_with: frozenset[str] = frozenset()

    def build(self, request: BuildRequest) -> Engine:
        model = load_model(request.model)
        index = GraphIndex(model)
        asked = {t for i in request.interventions if isinstance(i, MarkOutputs) for t in i.tensors}
        marked = {*(index.tensors if EVERY_TENSOR in asked else asked), *index.outputs}
        if any(marks <= marked for marks in self.marks) and self.only_with <= set(index.order):
            raise BuildFailure(
                said_of(marked), errors=(BuildError("build", said_of(marked), "10: Internal Error"),)
            )
        if self.invalid in marked:
            raise BuildFailure("no such output", errors=(BuildError("build", "no such output"),))
        return OrtEngine(model, request.outputs, request.workdir, self.name)


def said_of(marked: set[str]) -> str:
    """What TensorRT 8.6 logs of such a build."""
    block = f"{{ForeignNode[{min(marked)}...{max(marked)}]}}"
    where = "[optimizer.cpp::computeCosts::3869]"
    return f"10: {where} Error Code 10: Internal Error (Could not find any implementation for node {block}.)"


def opened(
    backend: RefusesMarks, marks: tuple[str, ...], model: Path, folder: Path, precision: Precision = "fp32"
) -> Context:
    """The case of a model that is built with these marks; its session is in `folder`."""
    plugins = plugins_with(backend)
    request = CaseRequest(model, BuildOptions(precision, marks=marks), candidate=backend.name, builds=1)
    return of_request(request, folder, plugins)
