"""Diagnoses of models with TensorRT-RTX as the candidate, in this process: it parses and builds without a GPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rtx_extension import rtx_paths

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger, Until
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples


def use_rtx(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Makes TensorRT-RTX importable, in processes that are started, too; skips the test where it is not at hand."""
    paths = rtx_paths(folder)
    for path in paths:
        monkeypatch.syspath_prepend(path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def diagnosed(
    model: Path, folder: Path, shapes: Sequence[str] = (), until: Until = "fix", **inputs: np.ndarray
) -> Diagnosis:
    """What `trtdebug fix` says of a model file. `inputs`: one sample, where the generated one will not do."""
    import trtdebug_rtx

    plugins = PluginManager.load(builtins=[*BUILTINS, trtdebug_rtx], third_party=False)
    given = folder / "inputs.npz" if inputs else None
    if given is not None:
        np.savez(given, **inputs)
    request = CaseRequest(model, candidate="tensorrt-rtx", input_shapes=shapes, builds=1, inputs=given)
    prepared = prepare(request, plugins)
    session = Session(folder / "session", InProcess(folder / "session", plugins.backends()))
    session.store_case(prepared.case)
    store_samples(prepared, session.tensors)
    return Debugger(Context(session, prepared.case, plugins), prepared.findings, until).run()
