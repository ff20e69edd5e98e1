"""The backend: builds anywhere, runs on GPUs that TensorRT-RTX supports."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from trtdebug.backends.apart import build_apart
from trtdebug.backends.base import Availability, BuildRequest, Engine, Support
from trtdebug.backends.tensorrt.device import device_name
from trtdebug.backends.tensorrt.knobs import offered
from trtdebug.backends.tensorrt.plan import plan_build
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.intervention import Knob
from trtdebug.core.outcome import EngineInfo
from trtdebug_rtx.module import installed, last_words, logger, said, tensorrt_rtx
from trtdebug_rtx.request import VERSION, Prepared, prepare

_MISSING = "TensorRT-RTX is not installed (pip install tensorrt_rtx)"


class RtxBackend:
    """NVIDIA TensorRT-RTX: strongly typed, precision said by Casts in the graph."""

    name = "tensorrt-rtx"
    summary = "NVIDIA TensorRT-RTX; builds without a GPU, runs on RTX GPUs"
    realises: frozenset[str] = frozenset(
        {"PinPrecision", "ForcePrecision", "Knob", "MarkOutputs", "BreakFusion", "ReplaceGraph"}
    )
    deterministic = False

    def probe(self) -> Availability:
        return _probe()

    def support(self, request: BuildRequest) -> Support:
        found = _probe()
        if not found.ok:
            raise BuildFailure(found.reason)
        from trtdebug_rtx.support import support

        return support(request)

    def check_options(self, options: BuildOptions, model: Path) -> None:
        try:
            plan_build(BuildRequest(model, options, model.parent), VERSION)
        except BuildFailure as failure:
            raise UserError(failure.message, failure.hint) from failure

    def knobs(self, options: BuildOptions, operators: Collection[str]) -> tuple[Knob, ...]:
        # build routes are taken, and not kept
        offers = offered(options, operators, VERSION)
        return tuple(k for k in offers if k.name != "build_route") if _probe().ok else ()

    def build(self, request: BuildRequest) -> Engine:
        found = _probe()
        if not found.ok:
            raise BuildFailure(found.reason)
        from trtdebug_rtx.engine import BuiltEngine, RunningEngine

        (prepared, serialised), relaxed = build_apart(request, lambda asked: _built(prepare(asked), asked))
        notes = [relaxed] if relaxed else []
        if prepared.model.unlowered:
            notes.append(f"no low precision in ONNX for {', '.join(prepared.model.unlowered)}")
        pinned = tuple(prepared.plan.pins)
        info = EngineInfo(self.name, found.version, found.device, unverified=pinned, notes=tuple(notes))
        engine, obstacle = _load(serialised)
        if engine is None:
            return BuiltEngine(info, obstacle)
        return RunningEngine(engine, prepared.outputs, info)


def _built(prepared: Prepared, request: BuildRequest) -> tuple[Prepared, bytes]:
    from trtdebug_rtx.build import serialise

    return prepared, serialise(request, prepared)


def _load(serialised: bytes) -> tuple[Any | None, str]:
    """The deserialised engine, or why it does not load here."""
    if not device_name():
        return None, "there is no GPU here. Running it takes one that TensorRT-RTX supports."
    trt: Any = tensorrt_rtx()
    said.clear()
    runtime = trt.Runtime(logger())
    engine = runtime.deserialize_cuda_engine(serialised)
    if engine is not None:
        return engine, ""
    words = last_words("TensorRT-RTX does not say why")
    return None, "there is no NVIDIA driver that is new enough." if "cudaError 35" in words else words


@cache
def _probe() -> Availability:
    if not installed():
        return Availability(False, reason=_MISSING)
    try:
        device = device_name() or "(no GPU: it only builds)"
        return Availability(True, version=str(tensorrt_rtx().__version__), device=device)
    except ImportError as error:
        return Availability(False, reason=f"tensorrt_rtx cannot be imported: {error}")
