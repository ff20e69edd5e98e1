"""A backend that is like a real builder in what fixes care for: it keeps engines, times them, and promises nothing.

It computes as the emulator does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import onnx
from contexts import of_request

from trtdebug.backends.base import BuildRequest, Engine, Feeds, Tensor
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo
from trtdebug.debugger import Debugger, Until
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest


@dataclass
class LoadedEngine:
    """An engine that was kept: it is only timed."""

    milliseconds: float

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        raise BuildFailure("a kept engine is not run here.")

    def stopwatch(self, feeds: Feeds) -> Callable[[], float]:
        return lambda: self.milliseconds

    def info(self) -> EngineInfo:
        return EngineInfo("keeping", "1")

    def close(self) -> None:
        """There is nothing to free."""


@dataclass
class KeepingBackend(EmulatorBackend):
    """Registers itself, and so stands among the built-ins of a test.

    Attributes:
        milliseconds: of an engine, by its request.
        on_build: raises what a build is to raise.
        requests: what was built.
        loaded: engine files that were loaded to be timed.
    """

    milliseconds: Callable[[BuildRequest], float] = lambda request: 1.0
    on_build: Callable[[BuildRequest], None] = lambda request: None
    realises: frozenset[str] = EmulatorBackend.realises
    requests: list[BuildRequest] = field(default_factory=list)
    loaded: list[Path] = field(default_factory=list)
    name: str = "keeping"
    deterministic: bool = False
    stands_in: bool = False
    keeps_engines: Literal[True] = True

    @hookimpl
    def trtdebug_backends(self) -> list[KeepingBackend]:
        return [self]

    def build(self, request: BuildRequest) -> Engine:
        if request.model.suffix == ".plan":
            self.loaded.append(request.model)
            return LoadedEngine(json.loads(request.model.read_text()))
        self.requests.append(request)
        self.on_build(request)
        if request.engine_file is not None:
            request.engine_file.parent.mkdir(parents=True, exist_ok=True)
            request.engine_file.write_text(json.dumps(self.milliseconds(request)))
        return super().build(request)


def opened(
    model: onnx.ModelProto, folder: Path, backend: KeepingBackend, *plugins: object, **request: object
) -> Context:
    """The case of a model in FP16, in this process. `plugins` are hooks beside the built-in ones."""
    save_model(model, folder / "model.onnx")
    manager = PluginManager.load(builtins=[*BUILTINS, backend, *plugins], third_party=False)
    wanted = {"candidate": "keeping", "builds": 1, **request}
    case = CaseRequest(folder / "model.onnx", BuildOptions("fp16"), **wanted)  # type: ignore[arg-type]
    return of_request(case, folder / "session", manager)


def diagnose(ctx: Context, until: Until = "fix") -> Diagnosis:
    """What `trtdebug fix` says."""
    return Debugger(ctx, until=until).run()
