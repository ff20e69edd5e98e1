"""The emulator: low-precision kernels imitated on onnxruntime, for machines without a GPU.

A node in low precision reads its float inputs and weights rounded and stores its outputs rounded, with
overflow to Inf (see trtdebug.graph.rounding). It foresees what FP16 or BF16 does to a model; it knows no fusion,
no tactics and no accumulation in low precision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from trtdebug.backends.base import Availability, BuildRequest, Engine, Feeds, StreamsSome, Tensor
from trtdebug.backends.onnxruntime import (
    OnnxruntimeBackend,
    OrtEngine,
    open_engine,
    refuse_others,
    tensor_dtypes,
)
from trtdebug.backends.pins import check_pins
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, LowPrecision, PinPrecision
from trtdebug.core.outcome import EngineInfo
from trtdebug.core.words import listed

if TYPE_CHECKING:
    import onnx

    from trtdebug.backends.operators import Implementations
    from trtdebug.backends.staged import StagedEngine

_CAST_SINCE: dict[LowPrecision, int] = {"fp16": 6, "bf16": 13}
_NAMED = 5


class EmulatorBackend:
    """Every float node works in the user's precision, unless it is pinned to FP32.

    Constants keep their values: it is the node that reads them that rounds them, as it does weights.
    """

    name = "emulator"
    summary = "FP16/BF16 rounding emulated on onnxruntime (no GPU needed)"
    realises: frozenset[str] = frozenset({"PinPrecision", "ForcePrecision", "MarkOutputs", "ReplaceGraph"})
    deterministic = True
    stands_in = True
    bounds_memory: Literal[True] = True

    def probe(self) -> Availability:
        return OnnxruntimeBackend().probe()

    def build(self, request: BuildRequest) -> Engine:
        from trtdebug.backends.operators import implementations
        from trtdebug.graph.derived import from_shapes
        from trtdebug.graph.index import GraphIndex
        from trtdebug.graph.inlined import inlined
        from trtdebug.graph.load import load_mapped
        from trtdebug.graph.rounding import rounded
        from trtdebug.graph.types import tensor_types

        refuse_others(request, self.name, self.realises)
        model = load_mapped(request.model)
        found = implementations(request.options.operators, request.extensions)
        found.put_in(model)
        dtype = _low_precision(request)
        pinned = _pinned(request, model)
        if dtype is None:
            return open_engine(model, found, request, self.name)
        flat = inlined(model, found.bodies)  # a function for a custom operator stands for one kernel
        low = {n.name for n in flat.model.graph.node if n.op_type != "Constant"} - flat.of(pinned)
        order = [n.name for n in model.graph.node]
        model = _with_casts_to(dtype, flat.model)
        dtypes = {t: i.dtype for t, i in tensor_types(model).items()}
        if any(o and o not in dtypes for n in model.graph.node for o in n.output):
            dtypes |= _computed_dtypes(model, found, request, self.name)
        wide, narrow = _float_nodes(model, dtypes)
        if narrow and wide <= from_shapes(GraphIndex(model)):
            raise BuildFailure(
                f"the model is already in {dtypes[narrow[min(narrow)]]}; the emulator computes such nodes in "
                "float32 and would show no rounding at all.",
                "Give the float32 model that it was made from, or use --candidate tensorrt.",
            )
        result = rounded(model, low, dtype, dtypes)
        emulated, floats = ({flat.caller(n) for n in names} for names in (wide & low, {*wide, *narrow}))
        notes = [f"{len(emulated)} of {len(floats)} float nodes work in {dtype}"]
        if inside := [inner for left in result.left_out.values() for inner in left]:
            notes.append(
                f"{len(inside)} nodes inside a body could not be emulated in low precision: {listed(inside, _NAMED)}"
            )
        calls = [name for name in flat.left if name not in pinned]
        if calls:
            notes.append(
                f"{listed(calls, _NAMED)}: what the model's function computes could not be emulated in low precision, "
                "since it can't be inlined"
            )
        unverified = {*calls, *(flat.caller(n) for n in (*result.left_out, *(narrow.keys() & low)))}
        try:
            engine = open_engine(result.model, found, request, self.name)
        except BuildFailure as failure:
            node = flat.caller(failure.node) if failure.node is not None else None
            message = f"with {dtype} rounding put in, {failure.message}"
            raise BuildFailure(message, failure.hint, node) from failure
        return _EmulatedEngine(engine, [name for name in order if name in unverified], notes)


class _EmulatedEngine:
    """The engine of a model that rounds; tells what it could not make round."""

    def __init__(
        self, engine: OrtEngine | StagedEngine, unverified: Iterable[str], notes: Iterable[str]
    ) -> None:
        self.engine = engine
        self.unverified, self.notes = tuple(unverified), tuple(notes)

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        return self.engine.run(feeds)

    def stream(self, feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        return self.engine.stream(feeds)

    def stream_some(self, outputs: Collection[str], feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        if isinstance(self.engine, StreamsSome):
            return self.engine.stream_some(outputs, feeds)
        return self.engine.stream(feeds)

    def info(self) -> EngineInfo:
        info = self.engine.info()
        around = [f"{note}; rounded around them" for note in info.notes]
        return replace(info, unverified=self.unverified, notes=(*self.notes, *around))

    def close(self) -> None:
        self.engine.close()


def _computed_dtypes(
    model: onnx.ModelProto, found: Implementations, request: BuildRequest, backend: str
) -> dict[str, str]:
    """numpy dtype name of every tensor: as onnxruntime tells, or as a run shows where Python computes nodes.

    Raises:
        BuildFailure: there is nothing to run, or it does not run.
    """
    from trtdebug.backends.operators import explained

    if not found.nodes(model):
        try:
            return tensor_dtypes(model, request.workdir, found.libraries)
        except BuildFailure as failure:
            raise explained(failure, model, found, backend) from failure
    if request.sample is None:
        raise BuildFailure(
            "the types of what custom operators give are not known.",
            "Declare them in the model (value_info).",
        )
    everything = replace(request, outputs=tuple(o for n in model.graph.node for o in n.output if o))
    engine = open_engine(model, found, everything, backend)
    try:
        return {name: value.dtype.name for name, value in engine.stream(request.sample())}
    finally:
        engine.close()


def _float_nodes(model: onnx.ModelProto, dtypes: Mapping[str, str]) -> tuple[set[str], dict[str, str]]:
    """Nodes that can be rounded; and those that are narrow already, each with a narrow tensor of its own.

    Cast does not count: at the ends of a float16 model it reads float32, and nothing is computed there.
    """
    from trtdebug.graph.rounding import WIDE

    wide: set[str] = set()
    narrow: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Constant"):
            continue
        tensors = [t for t in (*node.input, *node.output) if t]
        if any(dtypes.get(t) in WIDE for t in tensors):
            wide.add(node.name)
        elif found := [t for t in tensors if dtypes.get(t) in ("float16", "bfloat16")]:
            narrow[node.name] = found[0]
    return wide, narrow


def _with_casts_to(dtype: LowPrecision, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in an operator set whose Cast knows `dtype`; nodes and tensors keep their names.

    Raises:
        BuildFailure: it would have to be converted, and can't be.
    """
    from trtdebug.graph.converted import converted
    from trtdebug.graph.load import read_mapped
    from trtdebug.graph.names import name_nodes

    since = _CAST_SINCE[dtype]
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), since)
    if opset >= since:
        return model
    cannot = f"{dtype} is emulated from opset {since} on, and the model's opset {opset} cannot be converted: "
    remedy = f"Export the model with opset {since} or later."
    read_mapped(model)  # the converter loses what lies in files
    try:
        other = converted(model, since)
    except Exception as error:
        raise BuildFailure(f"{cannot}{' '.join(str(error).split())}", remedy) from error
    name_nodes(other)
    kept = {n.name for n in other.graph.node}
    written = {t for n in other.graph.node for t in n.output}
    for node in model.graph.node:
        if node.name not in kept or not written.issuperset(filter(None, node.output)):
            message = f"{cannot}onnx.version_converter replaces {node.name!r} ({node.op_type})."
            raise BuildFailure(message, remedy, node.name)
    return other


def _pinned(request: BuildRequest, model: onnx.ModelProto) -> set[str]:
    pins = [i for i in request.interventions if isinstance(i, PinPrecision)]
    for pin in pins:
        if pin.dtype != "fp32":
            raise BuildFailure(f"the emulator pins nodes to fp32 only, not to {pin.dtype}.")
    pinned = {n for pin in pins for n in pin.nodes}
    check_pins(sorted(pinned), model, request.model.name)
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
