"""The TensorRT backend: 8.6 to 11, weakly typed where the version has it, else strongly typed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from trtdebug.backends.base import Availability, BuildRequest, Engine
from trtdebug.backends.tensorrt.engine_file import is_engine_file, load_engine
from trtdebug.backends.tensorrt.probe import probe, try_out
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure


class TensorrtBackend:
    """NVIDIA TensorRT on device 0.

    Without interventions it builds as the user would: the flag allows a precision, the builder chooses.
    `ForcePrecision` sets the precision of every float layer that has one; `PinPrecision` that of its nodes.
    A strongly typed network (always in 11) gets the same by Casts in the graph.
    """

    name = "tensorrt"
    summary = "NVIDIA TensorRT 8.6 to 11 on this machine's GPU"
    realises: frozenset[str] = frozenset(
        {"PinPrecision", "ForcePrecision", "Knob", "MarkOutputs", "BreakFusion", "ReplaceGraph"}
    )
    deterministic = False

    def probe(self) -> Availability:
        return probe()

    def try_out(self) -> Availability:
        return try_out()

    def warm_up(self) -> None:
        """Makes a builder and keeps it: unpacking the kernels takes 8.6 six seconds of the CPU, once a process.

        Meanwhile what a build needs is imported.
        """
        if not probe().ok:
            return
        import tensorrt as trt

        from trtdebug.backends.tensorrt.logger import trt_logger

        with ThreadPoolExecutor(1) as thread:
            builder = thread.submit(trt.Builder, trt_logger())
            for module in ("polygraphy.backend.trt", "trtdebug.backends.tensorrt.build"):
                import_module(module)
            self._warm = builder.result()

    def check_options(self, options: BuildOptions, model: Path) -> None:
        from trtdebug.backends.tensorrt.check import check_options

        check_options(options, model, probe().version)

    def build(self, request: BuildRequest) -> Engine:
        available = probe()
        if not available.ok:
            raise BuildFailure(available.reason)
        if is_engine_file(request.model):
            return load_engine(request)
        from trtdebug.backends.tensorrt.build import build_engine

        return build_engine(request)
