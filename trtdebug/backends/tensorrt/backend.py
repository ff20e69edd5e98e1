"""The TensorRT backend: 8.6 to 11, weakly typed where the version has it, else strongly typed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from trtdebug.backends.base import Availability, BuildRequest, Engine, Support
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.engine_file import is_engine_file, load_engine
from trtdebug.backends.tensorrt.probe import probe, try_out
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import Knob

_REALISED = frozenset(
    {"PinPrecision", "ForcePrecision", "Knob", "MarkOutputs", "BreakFusion", "ReplaceGraph"}
)
_OF_TACTICS = frozenset({"BanTactic", "UseTactic"})
_WAYS_TO_CHOOSE = ("ALGORITHM_SELECTOR", "EDITABLE_TIMING_CACHE")


class TensorrtBackend:
    """NVIDIA TensorRT on device 0.

    Without interventions it builds as the user would: the flag allows a precision, the builder chooses.
    `ForcePrecision` sets the precision of every float layer that has one; `PinPrecision` that of its nodes.
    A strongly typed network (always in 11) gets the same by Casts in the graph. `BreakFusion` puts a neutral node into
    the graph; where that does not build, the tensor becomes an output that is not given back.
    """

    name = "tensorrt"
    summary = "NVIDIA TensorRT 8.6 to 11 on this machine's GPU"
    deterministic = False

    @property
    def realises(self) -> frozenset[str]:
        version = probe().version
        chooses = bool(version) and any(compat.has(way, version) for way in _WAYS_TO_CHOOSE)
        return _REALISED | (_OF_TACTICS if chooses else frozenset())

    keeps_engines: Literal[True] = True

    def probe(self) -> Availability:
        return probe()

    def try_out(self) -> Availability:
        return try_out()

    def warm_up(self) -> None:
        """Makes a builder and keeps it: unpacking the kernels takes 8.6 six seconds of the CPU, once a process.

        In the main thread of its process: only there does malloc take large pages, which saves half a second.
        """
        if probe().ok:
            import tensorrt as trt

            from trtdebug.backends.tensorrt.logger import trt_logger

            self._warm = trt.Builder(trt_logger())

    def check_options(self, options: BuildOptions, model: Path) -> None:
        from trtdebug.backends.tensorrt.check import check_options

        check_options(options, model, probe().version)

    @property
    def owns_tensors(self) -> bool:
        version = probe().version
        return bool(version) and compat.has("WEAK_TYPING", version)

    def knobs(self, options: BuildOptions, operators: Collection[str]) -> tuple[Knob, ...]:
        from trtdebug.backends.tensorrt.knobs import offered

        available = probe()
        return offered(options, operators, available.version) if available.ok else ()

    def support(self, request: BuildRequest) -> Support:
        available = probe()
        if not available.ok:
            raise BuildFailure(available.reason)
        from trtdebug.backends.tensorrt.support import support

        return support(request)

    def build(self, request: BuildRequest) -> Engine:
        available = probe()
        if not available.ok:
            raise BuildFailure(available.reason)
        if is_engine_file(request.model):
            return load_engine(request)
        from trtdebug.backends.apart import build_apart
        from trtdebug.backends.tensorrt.build import build_engine

        built, relaxed = build_apart(request, build_engine)
        if relaxed:
            built.note(relaxed)
        return built
