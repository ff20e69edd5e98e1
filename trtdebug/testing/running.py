"""A whole session in this process: what `trtdebug run` would say with these plugins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from trtdebug.api.diagnosing import diagnose
from trtdebug.api.opening import opened_request
from trtdebug.api.place import Place, start_executor
from trtdebug.api.result import DebugResult
from trtdebug.backends.base import Backend
from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import Precision
from trtdebug.debugger import Until
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import Sample
from trtdebug.session.executor import InProcess
from trtdebug.session.measuring import Metrics
from trtdebug.session.session import Session
from trtdebug.stages.opening.preflight import CaseRequest


def debugged(
    model: onnx.ModelProto,
    sample: Sample | Sequence[Sample],
    candidate: Backend | str = "emulator",
    *,
    plugins: Iterable[object] = (),
    precision: Precision = "fp16",
    until: Until = "fix",
    folder: Path | None = None,
    executor: str | None = None,
) -> DebugResult:
    """Debugs a model with these plugins beside the built-in ones, and no others.

    Args:
        sample: arrays by input name, or several such.
        candidate: name of a backend, or one that registers itself as `PlantedFaults` does.
        plugins: modules, or objects with hooks.
        until: the last stage to run: "localise", "fix" or "repro".
        folder: for the session; None: a temporary one, which is gone at the end.
        executor: name of the one that runs the trials, of `plugins` or built in; its processes have the built-in ones
            only. None: they run right here.

    Raises:
        AssertionError: a plugin has a problem; with the traceback.
        UserError: the case does not fit together.
    """
    if folder is None:
        with TemporaryDirectory(prefix="trtdebug-") as temporary:
            return debugged(
                model,
                sample,
                candidate,
                plugins=plugins,
                precision=precision,
                until=until,
                folder=Path(temporary),
                executor=executor,
            )
    own = () if isinstance(candidate, str) else (candidate,)
    manager = PluginManager.load(builtins=(*BUILTINS, *plugins, *own), third_party=False)
    save_model(model, folder / "model.onnx")
    samples = [sample] if isinstance(sample, dict) else list(sample)
    request = CaseRequest(
        folder / "model.onnx",
        BuildOptions(precision=precision),
        candidate=candidate if isinstance(candidate, str) else candidate.name,
        samples=[{name: np.asarray(value) for name, value in one.items()} for one in samples],  # type: ignore[union-attr]
    )
    session = Session(folder / "session")
    if executor is None:
        session.executor = _right_here(session.folder, manager)
    else:
        start_executor(session, manager, Place(session.folder, executor=executor))
    with closing(session), opened_request(request, session, manager) as case:
        done = diagnose(case, until)
    if manager.problems:
        raise AssertionError("\n".join(f"{p.plugin}: {p.error}\n{p.traceback}" for p in manager.problems))
    return DebugResult(done.diagnosis, case.folder, done.report)


def _right_here(folder: Path, manager: PluginManager) -> InProcess:
    metrics = Metrics({metric.name: metric.compute for metric in manager.metrics().values()})
    operators = {found.value.name: found.value for found in manager.collect("operators")}
    return InProcess(folder, manager.backends(), metrics, operators)
