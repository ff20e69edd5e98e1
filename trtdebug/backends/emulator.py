"""The emulator: low-precision kernels imitated on onnxruntime, for machines without a GPU.

A node in low precision reads its float inputs and weights rounded and stores its outputs rounded, with
overflow to Inf (see trtdebug.graph.rounding). It foresees what FP16 or BF16 does to a model; it knows no fusion,
no tactics and no accumulation in low precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtdebug.backends.base import Availability, BuildRequest, Engine
from trtdebug.backends.onnxruntime import OnnxruntimeBackend, OrtEngine, refuse_others, tensor_dtypes
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, LowPrecision, PinPrecision

if TYPE_CHECKING:
    import onnx

_CAST_SINCE: dict[LowPrecision, int] = {"fp16": 6, "bf16": 13}


class EmulatorBackend:
    """Every float node works in the user's precision, unless it is pinned to FP32.

    Constants keep their values: it is the node that reads them that rounds them, as it does weights.
    """

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

        refuse_others(request, self.name, self.realises)
        model = load_model(request.model)
        dtype = _low_precision(request)
        pinned = _pinned(request, {n.name for n in model.graph.node})
        if dtype is not None:
            low = {n.name for n in model.graph.node if n.op_type != "Constant"} - pinned
            model = _with_casts_to(dtype, model)
            dtypes = {t: i.dtype for t, i in tensor_types(model).items()}
            if any(o and o not in dtypes for n in model.graph.node for o in n.output):
                dtypes |= tensor_dtypes(model, request.workdir)
            model = round_nodes(model, low, dtype, dtypes)
        return OrtEngine(model, request.outputs, request.workdir, backend=self.name)


def _with_casts_to(dtype: LowPrecision, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in an operator set whose Cast knows `dtype`; nodes and tensors keep their names.

    Raises:
        BuildFailure: it would have to be converted, and can't be.
    """
    from onnx import version_converter

    from trtdebug.graph.names import name_nodes

    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), _CAST_SINCE[dtype])
    if opset >= _CAST_SINCE[dtype]:
        return model
    try:
        converted: onnx.ModelProto = version_converter.convert_version(model, _CAST_SINCE[dtype])
    except Exception as error:
        raise BuildFailure(
            f"{dtype} is emulated from opset {_CAST_SINCE[dtype]} on, and the model's opset {opset} cannot be "
            f"converted: {' '.join(str(error).split())}",
            f"Export the model with opset {_CAST_SINCE[dtype]} or later.",
        ) from error
    name_nodes(converted)
    return converted


def _pinned(request: BuildRequest, nodes: set[str]) -> set[str]:
    pins = [i for i in request.interventions if isinstance(i, PinPrecision)]
    for pin in pins:
        if pin.dtype != "fp32":
            raise BuildFailure(f"the emulator pins nodes to fp32 only, not to {pin.dtype}.")
    pinned = {n for pin in pins for n in pin.nodes}
    unknown = sorted(pinned - nodes)
    if unknown:
        raise BuildFailure(f"a pin names {unknown[0]!r}, which is no node of {request.model.name}.")
    return pinned


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
