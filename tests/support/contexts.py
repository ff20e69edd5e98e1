"""Cases that are ready for the stages, with a session in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from trtdebug.backends.base import Backend
from trtdebug.core.case import BuildOptions
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples


@dataclass
class _Registers:
    backend: Backend

    @hookimpl
    def trtdebug_backends(self) -> list[Backend]:
        return [self.backend]


def plugins_with(backend: Backend, *others: object) -> PluginManager:
    """The built-in plugins, one that registers this backend, and others."""
    return PluginManager.load(builtins=[*BUILTINS, _Registers(backend), *others], third_party=False)


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
    return of_request(request, folder / "session", plugins)


def of_request(request: CaseRequest, folder: Path, plugins: PluginManager) -> Context:
    """The case of a request; its session is in `folder`. Raises `UserError`."""
    prepared = prepare(request, plugins)
    session = Session(folder, InProcess(folder, plugins.backends()))
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    return Context(session, prepared.case, plugins)
