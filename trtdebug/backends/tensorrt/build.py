"""Builds an engine from a request: model -> network -> marks and precision -> engine -> read back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import outputs as marking
from trtdebug.backends.tensorrt.config import Constraints, create_config
from trtdebug.backends.tensorrt.device import device_name
from trtdebug.backends.tensorrt.graph_input import PreparedModel, onnx_source, prepare
from trtdebug.backends.tensorrt.inspect import (
    EngineLayer,
    inspector_json,
    layer_infos,
    nodes_of,
    parse_dump,
    read_back,
)
from trtdebug.backends.tensorrt.layers import LayerFacts, layer_names, owners, read_layers
from trtdebug.backends.tensorrt.logger import LogSink, collected, quiet_polygraphy, trt_logger
from trtdebug.backends.tensorrt.network import ParsedNetwork, load_plugin_libraries, parse_network
from trtdebug.backends.tensorrt.plan import BuildPlan, plan_build
from trtdebug.backends.tensorrt.precision import PrecisionPlan, apply_precision, plan_precision, skipped_note
from trtdebug.backends.tensorrt.run import TensorrtEngine
from trtdebug.core.errors import BuildFailure, NotHonoured
from trtdebug.core.outcome import EngineInfo

# "Could not find any implementation for node conv1 + relu1.", "... for node X due to insufficient workspace."
_BLAMED = re.compile(r"implementation for node (.+?)(?: due to .*)?\.?(?: See .*|\)\s*)?$", re.DOTALL)


def build_engine(request: BuildRequest) -> TensorrtEngine:
    """Builds an engine.

    Raises:
        BuildFailure: TensorRT does not build it, or the request cannot be realised on this version.
    """
    import tensorrt as trt

    trt_logger()  # before anything else can hand TensorRT another one
    version = str(trt.__version__)
    plan = plan_build(request, version)
    model = prepare(plan)
    with quiet_polygraphy(), collected() as log:
        load_plugin_libraries(plan.plugins)
        protos = model.proto.graph.node
        parsed = parse_network(
            onnx_source(model.proto, request.workdir),
            [n.name for n in protos],
            [n.op_type for n in protos],
            plan.strong,
            log,
        )
        layers = read_layers(parsed.network, ask_shapes=bool(model.asked or plan.marks))
        owned = owners(layers, model.ops)
        names = layer_names(layers, owned)
        notes = _mark(plan, model, parsed, layers, version)
        precision = _set_precision(plan, model, parsed, layers, owned)
        log.errors.clear()  # what the network said while it was questioned is no reason for a failed build
        engine, relaxed = _build(plan, parsed, request.timing_cache, bool(precision.assignments), log, names)
        notes += [relaxed, skipped_note(precision.skipped), _absent_note(precision.absent)]
        info = _info(engine, model, names, precision, version, [n for n in notes if n])
    return TensorrtEngine(
        engine,
        _returned(request, model, engine),
        {name: kind.dtype for name, kind in model.types.items()},
        info,
    )


def _mark(
    plan: BuildPlan,
    model: PreparedModel,
    parsed: ParsedNetwork,
    layers: tuple[LayerFacts, ...],
    version: str,
) -> list[str]:
    network = parsed.network
    marks = marking.plan_marks(
        layers,
        wanted=[t for t in plan.marks if t not in model.marked],
        outputs=[network.get_output(i).name for i in range(network.num_outputs)],
        inputs=[network.get_input(i).name for i in range(network.num_inputs)],
        bool_outputs=marking.supports_bool_outputs(version),
    )
    marking.apply_marks(network, marks.marks)
    return [marking.marks_note(marks.skipped)]


def _set_precision(
    plan: BuildPlan,
    model: PreparedModel,
    parsed: ParsedNetwork,
    layers: tuple[LayerFacts, ...],
    owned: Mapping[int, str],
) -> PrecisionPlan:
    if plan.strong:
        return PrecisionPlan(skipped=dict.fromkeys(model.unlowered, "ONNX has no such type for it"))
    found = plan_precision(layers, owned, model.ops, model.asked)
    apply_precision(parsed.network, found.assignments)
    return found


def _build(
    plan: BuildPlan,
    parsed: ParsedNetwork,
    timing_cache: Path | None,
    constrained: bool,
    log: LogSink,
    names: Mapping[str, str],
) -> tuple[Any, str]:
    """The engine, and a note when precision constraints had to be relaxed."""
    if not constrained:
        return _build_once(plan, parsed, timing_cache, None, log, names), ""
    try:
        return _build_once(plan, parsed, timing_cache, "obey", log, names), ""
    except BuildFailure as failure:
        strict = failure
    log.errors.clear()
    engine = _build_once(plan, parsed, timing_cache, "prefer", log, names)
    return engine, f"precision constraints relaxed from OBEY to PREFER: {strict.message}"


def _build_once(
    plan: BuildPlan,
    parsed: ParsedNetwork,
    timing_cache: Path | None,
    constraints: Constraints | None,
    log: LogSink,
    names: Mapping[str, str],
) -> Any:
    from polygraphy.backend.trt import engine_bytes_from_network, engine_from_bytes
    from polygraphy.exception import PolygraphyException

    try:
        config = create_config(plan, parsed.builder, parsed.network, timing_cache, constraints)
        serialised = engine_bytes_from_network(
            (parsed.builder, parsed.network),
            config=config,
            save_timing_cache=str(timing_cache) if timing_cache is not None else None,
        )
        return engine_from_bytes(serialised)
    except PolygraphyException as error:
        said = log.first_error() or " ".join(str(error).split())
        raise BuildFailure(
            f"TensorRT does not build it: {said}", node=blamed_node(log.errors, names)
        ) from error


def blamed_node(errors: Collection[str], layer_nodes: Mapping[str, str]) -> str | None:
    """ONNX node that a build error names; None when it names none or a range.

    Args:
        errors: TensorRT's error messages.
        layer_nodes: ONNX node by network layer name.
    """
    for message in errors:
        match = _BLAMED.search(" ".join(message.split()))
        if match is not None:
            found = nodes_of(EngineLayer(match[1].strip()), set(layer_nodes.values()), layer_nodes)
            if found:
                return found[0]
    return None


def _info(
    engine: Any,
    model: PreparedModel,
    names: Mapping[str, str],
    precision: PrecisionPlan,
    version: str,
    notes: list[str],
) -> EngineInfo:
    asked = {n: p for n, p in model.asked.items() if n not in precision.absent}
    try:
        dump = parse_dump(inspector_json(engine))
    except NotHonoured as error:
        return EngineInfo(
            "tensorrt", version, device_name(), unverified=tuple(asked), notes=(*notes, error.message)
        )
    infos = layer_infos(dump, model.ops, names)
    readable = {n: p for n, p in asked.items() if n not in precision.skipped}
    refused, hidden = read_back(dump, infos, readable, model.index.producer)
    unverified = tuple(n for n in asked if n in hidden or n in precision.skipped)
    return EngineInfo("tensorrt", version, device_name(), infos, refused, unverified, tuple(notes))


def _absent_note(absent: tuple[str, ...]) -> str:
    if not absent:
        return ""
    first = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
    return f"{len(absent)} node(s) have no layer in TensorRT (folded or without effect): {first}"


def _returned(request: BuildRequest, model: PreparedModel, engine: Any) -> tuple[str, ...]:
    """Tensors that `run` gives back: what was asked for, as far as the engine has it."""
    existing = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
    wanted = list(request.outputs if request.outputs is not None else model.outputs)
    for intervention in request.interventions:
        wanted += getattr(intervention, "tensors", ())
    return tuple(t for t in dict.fromkeys(wanted) if t in existing and t not in model.index.inputs)
