"""A case that is ready for the stages, with a session in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from trtdebug.core.case import BuildOptions
from trtdebug.graph.load import save_model
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.preflight import CaseRequest, prepare, store_samples


def context(
    folder: Path,
    model: onnx.ModelProto,
    candidate: str,
    plugins: PluginManager,
    builds: int = 1,
    **inputs: np.ndarray,
) -> Context:
    """A model in FP16 with one sample, as float32, in a session below the folder."""
    save_model(model, folder / "model.onnx")
    np.savez(folder / "inputs.npz", **{name: value.astype(np.float32) for name, value in inputs.items()})
    request = CaseRequest(
        folder / "model.onnx",
        BuildOptions("fp16"),
        candidate=candidate,
        inputs=folder / "inputs.npz",
        builds=builds,
    )
    prepared = prepare(request, plugins)
    session = Session(folder / "session", InProcess(folder / "session", plugins.backends()))
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    return Context(session, prepared.case, plugins)
