"""The emulator: low-precision kernels imitated on onnxruntime, for machines without a GPU.

A node in low precision reads its float inputs and weights rounded and stores its outputs rounded, with overflow
to Inf (see trtdebug.graph.rounding). It foresees what FP16 or BF16 does to a model; it knows no fusion, no
tactics and no accumulation in low precision.
"""

from __future__ import annotations

from trtdebug.backends.base import Availability, BuildRequest, Engine
from trtdebug.backends.onnxruntime import OnnxruntimeBackend, OrtEngine, tensor_dtypes
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, LowPrecision, PinPrecision


class EmulatorBackend:
    """Every float node works in the user's precision, unless it is pinned to FP32."""

    name = "emulator"
    summary = "FP16/BF16 rounding emulated on onnxruntime (no GPU needed)"
    realises: frozenset[str] = frozenset({"PinPrecision", "ForcePrecision", "MarkOutputs", "ReplaceGraph"})
    deterministic = True

    def probe(self) -> Availability:
        return OnnxruntimeBackend().probe()

    def build(self, request: BuildRequest) -> Engine:
        from trtdebug.graph.load import load_model
        from trtdebug.graph.rounding import round_nodes
        from trtdebug.graph.types import tensor_types

        model = load_model(request.model)
        dtype = _low_precision(request)
        if dtype is not None:
            names = {n.name for n in model.graph.node}
            pinned = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
            unknown = sorted(pinned - names)
            if unknown:
                raise BuildFailure(f"a pin names {unknown[0]!r}, which is no node of {request.model.name}.")
            dtypes = {t: i.dtype for t, i in tensor_types(model).items()}
            if any(o and o not in dtypes for n in model.graph.node for o in n.output):
                dtypes |= tensor_dtypes(model, request.workdir)
            model = round_nodes(model, names - pinned, dtype, dtypes)
        return OrtEngine(model, request.outputs, request.workdir, backend=self.name)


def _low_precision(request: BuildRequest) -> LowPrecision | None:
    for intervention in request.interventions:
        if isinstance(intervention, ForcePrecision):
            return intervention.dtype
    precision = request.options.precision
    if precision == "int8":
        raise BuildFailure(
            "the emulator has no INT8 calibration.",
            "Give a Q/DQ model and --fp16 or no precision flag, or use --candidate tensorrt.",
        )
    return None if precision == "fp32" else precision
