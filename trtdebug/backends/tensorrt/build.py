"""Builds an engine from a request: model -> network -> marks and precision -> engine -> read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import outputs as marking
from trtdebug.backends.tensorrt.builder import NetworkBuilder
from trtdebug.backends.tensorrt.device import device_name
from trtdebug.backends.tensorrt.editable_cache import EditableCache, at_reading_level, cache_rules
from trtdebug.backends.tensorrt.graph_input import PreparedModel, onnx_source, prepare
from trtdebug.backends.tensorrt.inspect import read_dump
from trtdebug.backends.tensorrt.layers import LayerFacts, layer_names, owners, read_layers
from trtdebug.backends.tensorrt.logger import collected, quiet_polygraphy, share_logger
from trtdebug.backends.tensorrt.network import ParsedNetwork, parse_network
from trtdebug.backends.tensorrt.plan import BuildPlan, plan_build
from trtdebug.backends.tensorrt.plugin_libraries import load_plugin_libraries
from trtdebug.backends.tensorrt.precision import (
    PINNED_FILE,
    PrecisionPlan,
    apply_precision,
    plan_precision,
    skipped_note,
    write_pinned,
)
from trtdebug.backends.tensorrt.readback import layer_infos, read_back
from trtdebug.backends.tensorrt.run import TensorrtEngine
from trtdebug.backends.tensorrt.tactic_replay import TACTICS_FILE, write_replay
from trtdebug.backends.tensorrt.tactics import TacticChoice, TacticRules, is_pair
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import NotHonoured
from trtdebug.core.intervention import MarkOutputs
from trtdebug.core.outcome import EngineInfo
from trtdebug.core.words import NAMED, listed


def build_engine(request: BuildRequest) -> TensorrtEngine:
    """Builds an engine.

    Raises:
        BuildFailure: TensorRT does not build it, or the request cannot be realised on this version.
    """
    import tensorrt as trt

    share_logger()  # before anything else can hand TensorRT another one
    version = str(trt.__version__)
    plan = plan_build(request, version)
    hashes = cache_rules(plan, version)
    plan, raised = at_reading_level(plan) if hashes else (plan, "")
    model = prepare(plan)
    if model.quantised and not plan.strong:  # does not build without the flag, whatever else the user allows
        plan = replace(plan, allowed=plan.allowed | {"int8"})
    with quiet_polygraphy(), collected() as log:
        idle = load_plugin_libraries(plan.plugins)
        protos = model.proto.graph.node
        parsed = parse_network(
            onnx_source(model.proto, request.workdir),
            [n.name for n in protos],
            [n.op_type for n in protos],
            plan.strong,
            log,
        )
        marking_asked = any(isinstance(i, MarkOutputs) for i in request.interventions)
        layers = read_layers(parsed.network, ask_shapes=bool(model.asked or plan.marks or marking_asked))
        can_be_marked = _Borders.of(parsed.network, version).markable(layers) if marking_asked else ()
        owned = owners(layers, model.ops)
        names = layer_names(layers, owned)
        unmarked = _mark(plan, model, parsed, layers, version)
        notes = [raised, *_plan_notes(plan, model, idle), marking.marks_note(unmarked)]
        precision = _set_precision(plan, model, parsed, layers, owned)
        choosing = _choosing(plan)
        editable = EditableCache(hashes, log, request.artifacts) if hashes else None
        # what a selector or an edited cache lets TensorRT choose from says nothing of other builds
        cache = request.timing_cache if choosing is None and editable is None else None
        timings = TimingCacheFile.of(cache, f"TensorRT {version} on {device_name()}")
        builder = NetworkBuilder(plan, parsed, log, names, timings, request.engine_file, choosing, editable)
        notes.append(timings.read()[1] if timings is not None else "")
        engine, relaxed = builder.build({layers[a.layer].name: a.layer for a in precision.assignments})
        if request.artifacts is not None and plan.pins:
            write_pinned(request.artifacts / PINNED_FILE, parsed.network, precision.assignments)
        notes += [*relaxed, skipped_note(precision.skipped), _absent_note(precision.absent)]
        info = _info(engine, model, names, precision, version, [n for n in notes if n], request.artifacts)
        info = replace(info, markable=can_be_marked, unmarked=tuple(unmarked))
        if choosing is not None:
            info = replace(info, tactics=choosing.tactics(), ignored=choosing.ignored(info.layers))
            if request.artifacts is not None:
                write_replay(request.artifacts / TACTICS_FILE, choosing.chosen)
        if editable is not None and editable.built is not None:
            info = editable.built.described(info)
    return TensorrtEngine(
        engine,
        _returned(request, model, engine),
        {name: kind.dtype for name, kind in model.types.items()},
        info,
        plan.values,
    )


def _choosing(plan: BuildPlan) -> TacticChoice | None:
    rules = TacticRules.of(
        (ban for ban in plan.bans if is_pair(ban.tactic)), (use for use in plan.uses if is_pair(use.tactic))
    )
    return TacticChoice(rules) if rules else None


def _plan_notes(plan: BuildPlan, model: PreparedModel, idle: Sequence[str]) -> Iterator[str]:
    """What the caller should know of what was asked; `idle`: plugin libraries that register nothing."""
    yield from (f"the library {path} registers no plugin" for path in idle)
    if plan.strong or "int8" not in plan.allowed:
        return
    if model.quantised and plan.natural != "int8":
        yield "INT8 is allowed too: the model is quantised, and does not build otherwise"
    elif not model.quantised and plan.calibration is None:
        yield "no layer works in INT8: nothing says its scales"


def _mark(
    plan: BuildPlan,
    model: PreparedModel,
    parsed: ParsedNetwork,
    layers: tuple[LayerFacts, ...],
    version: str,
) -> Mapping[str, str]:
    """Makes outputs of what was asked for. Returns why the others cannot be outputs, by tensor."""
    asked = [t for t in plan.marks if t not in model.marked]
    known = {*model.index.tensors, *model.index.inputs, *model.index.initializers, *model.index.outputs}
    marking.check_marks(asked, known, layers, plan.model.name)
    native = marking.supports_bool_outputs(version)
    return marking.mark_tensors(parsed.network, layers, asked, native)


@dataclass(frozen=True)
class _Borders:
    """Inputs and outputs of a network; whether it may have boolean outputs."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    bool_outputs: bool

    @classmethod
    def of(cls, network: Any, version: str) -> _Borders:
        inputs = tuple(network.get_input(i).name for i in range(network.num_inputs))
        outputs = tuple(network.get_output(i).name for i in range(network.num_outputs))
        return cls(inputs, outputs, marking.supports_bool_outputs(version))

    def markable(self, layers: tuple[LayerFacts, ...]) -> tuple[str, ...]:
        return marking.markable(layers, self.outputs, self.inputs, self.bool_outputs)


def _set_precision(
    plan: BuildPlan,
    model: PreparedModel,
    parsed: ParsedNetwork,
    layers: tuple[LayerFacts, ...],
    owned: Mapping[int, str],
) -> PrecisionPlan:
    if plan.strong:
        return PrecisionPlan(skipped=model.unlowered)
    found = plan_precision(layers, owned, model.ops, model.asked)
    apply_precision(parsed.network, found.assignments)
    return found


def _info(
    engine: Any,
    model: PreparedModel,
    names: Mapping[str, str],
    precision: PrecisionPlan,
    version: str,
    notes: list[str],
    artifacts: Path | None,
) -> EngineInfo:
    asked = {n: p for n, p in model.asked.items() if n not in precision.absent}
    try:
        dump = read_dump(engine, artifacts)
    except NotHonoured as error:
        return EngineInfo(
            "tensorrt", version, device_name(), unverified=tuple(asked), notes=(*notes, error.message)
        )
    infos = layer_infos(dump, model.ops, names, model.index)
    readable = {n: p for n, p in asked.items() if n not in precision.skipped}
    found = read_back(dump, infos, readable, model.index.producer)
    unverified = tuple(n for n in asked if n in found.unverified or n in precision.skipped)
    return EngineInfo(
        "tensorrt",
        version,
        device_name(),
        infos,
        found.refused,
        unverified,
        tuple(notes),
        found.honoured,
        tensors=tuple(t for t in model.index.tensors if t in dump.written),
    )


def _absent_note(absent: tuple[str, ...]) -> str:
    if not absent:
        return ""
    return (
        f"{len(absent)} node(s) have no layer in TensorRT (folded or without effect): {listed(absent, NAMED)}"
    )


def _returned(request: BuildRequest, model: PreparedModel, engine: Any) -> tuple[str, ...]:
    """Tensors that `run` gives back: what was asked for, as far as the engine has it."""
    import tensorrt as trt

    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    given = {n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.OUTPUT}
    wanted = list(request.outputs if request.outputs is not None else model.outputs)
    for intervention in request.interventions:
        wanted += getattr(intervention, "tensors", ())
    return tuple(t for t in dict.fromkeys(wanted) if t in given)
