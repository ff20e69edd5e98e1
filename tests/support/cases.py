"""Open cases in this process: what a command line makes, without a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from contexts import of_request

from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import Precision
from trtdebug.debugger import Debugger
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import load_plugins
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest


def open_case(
    model: onnx.ModelProto,
    folder: Path,
    precision: Precision = "fp32",
    against: onnx.ModelProto | None = None,
    **request: Any,
) -> Context:
    """The case of a model, or of a model `against` another, both on onnxruntime. Raises `UserError`."""
    save_model(model, folder / "model.onnx")
    if against is not None:
        save_model(against, folder / "other.onnx")
        request |= {"candidate": "onnxruntime", "candidate_model": folder / "other.onnx"}
    case = CaseRequest(folder / "model.onnx", BuildOptions(precision), **request)
    return of_request(case, folder / "session", load_plugins(third_party=False))


def diagnose(ctx: Context) -> Diagnosis:
    """What `trtdebug bisect` says."""
    return Debugger(ctx, until="localise").run()


def finding(diagnosis: Diagnosis, id: str) -> Any:
    """The one finding with this id."""
    [found] = [f for f in diagnosis.findings if f.id == id]
    return found
