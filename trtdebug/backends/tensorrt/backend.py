"""The TensorRT backend: 8.6 to 11, weakly typed where the version has it, else strongly typed."""

from __future__ import annotations

from trtdebug.backends.base import Availability, BuildRequest, Engine
from trtdebug.backends.tensorrt.probe import obstacle, probe
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

    def build(self, request: BuildRequest) -> Engine:
        reason = obstacle()  # a build runs in a worker of its own: no need for the slow, crash-proof probe
        if reason:
            raise BuildFailure(reason)
        from trtdebug.backends.tensorrt.build import build_engine

        return build_engine(request)
