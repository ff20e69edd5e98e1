"""Open cases in this process: what a command line makes, without a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import Precision
from trtdebug.debugger import Debugger
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import load_plugins
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.preflight import CaseRequest, prepare, store_samples


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
    plugins = load_plugins(third_party=False)
    prepared = prepare(CaseRequest(folder / "model.onnx", BuildOptions(precision), **request), plugins)
    session = Session(folder / "session", InProcess(folder / "session", plugins.backends()))
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    return Context(session, prepared.case, plugins)


def diagnose(ctx: Context) -> Diagnosis:
    """What `trtdebug bisect` says."""
    return Debugger(ctx, until="localise").run()


def finding(diagnosis: Diagnosis, id: str) -> Any:
    """The one finding with this id."""
    [found] = [f for f in diagnosis.findings if f.id == id]
    return found
