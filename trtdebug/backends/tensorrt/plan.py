"""What a build request asks of TensorRT, said once and checked, before TensorRT is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.calibration import CalibrationCache, read_calibration_cache
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import (
    BreakFusion,
    ForcePrecision,
    Knob,
    LowPrecision,
    MarkOutputs,
    PinPrecision,
    Precision,
    ReplaceGraph,
)

KNOBS = ("tf32", "optimization_level", "tactic_sources", "build_route", "strong_typing")
_SWITCH = {"on": True, "off": False}
_NEEDS_FLAG = {"fp16": "FP16_FLAG", "bf16": "BF16_FLAG", "int8": "INT8_FLAG"}


@dataclass(frozen=True)
class BuildPlan:
    """One build in TensorRT's terms.

    Attributes:
        allowed: precisions whose builder flags are set (weak typing), besides FP32.
        natural: the user's own precision.
        forced: every float node works in it unless pinned; None = the builder chooses.
        pins: precision by ONNX node name.
        marks: tensors (ONNX names) to be made outputs, graph outputs not repeated by the caller.
        strong: precision is said in the graph by Casts, not by flags.
        tactic_sources: names to use ("CUBLAS") or to drop from the default ("-CUBLAS"); None = the default.
        values: smallest, tuned and largest values of integer inputs, for those that hold shapes.
        calibration: INT8 scales for a model that has none itself; None = there is no such file.
    """

    model: Path
    allowed: frozenset[Precision]
    natural: Precision
    forced: LowPrecision | None
    pins: Mapping[str, Precision]
    marks: tuple[str, ...]
    strong: bool
    tf32: bool
    optimization_level: int | None = None
    workspace: int | None = None
    tactic_sources: tuple[str, ...] | None = None
    build_route: str | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    values: Mapping[str, Profile] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    calibration: CalibrationCache | None = None

    @property
    def unpinned(self) -> LowPrecision | None:
        """Low precision of the nodes without a pin when the network is strongly typed; None = FP32."""
        if self.forced is not None:
            return self.forced
        return self.natural if self.natural in ("fp16", "bf16") else None

    @property
    def low(self) -> LowPrecision | None:
        """The one low precision that appears in a strongly typed network; None = it is all FP32."""
        if "fp16" in self.allowed:
            return "fp16"
        return "bf16" if "bf16" in self.allowed else None


def plan_build(request: BuildRequest, version: str) -> BuildPlan:
    """The plan for this request on this TensorRT version.

    Raises:
        BuildFailure: an unknown knob, a bad value, or something that this version cannot do.
    """
    options = request.options
    knobs: dict[str, str] = {}
    pins: dict[str, Precision] = {}
    forced: LowPrecision | None = None
    marks: list[str] = list(request.outputs or ())
    model = request.model
    for intervention in request.interventions:
        if isinstance(intervention, Knob):
            knobs[intervention.name] = intervention.value
        elif isinstance(intervention, PinPrecision):
            pins.update(dict.fromkeys(intervention.nodes, intervention.dtype))
        elif isinstance(intervention, ForcePrecision):
            forced = intervention.dtype
        elif isinstance(intervention, MarkOutputs):
            marks.extend(intervention.tensors)
        elif isinstance(intervention, BreakFusion):
            marks.append(intervention.tensor)
        elif isinstance(intervention, ReplaceGraph):
            model = Path(intervention.model)
        else:
            raise BuildFailure(
                f"the tensorrt backend cannot realise {type(intervention).__name__}.",
                "See the backend's `realises`.",
            )
    unknown = sorted(set(knobs) - set(KNOBS))
    if unknown:
        raise BuildFailure(f"unknown builder knob {unknown[0]!r}.", f"There are: {', '.join(KNOBS)}.")
    strong = _strong(knobs.get("strong_typing"), version)
    allowed: set[Precision] = {options.precision, *pins.values()} - {"fp32"}
    if forced is not None:
        allowed.add(forced)
    _check_precisions(allowed, pins, strong, version)
    return BuildPlan(
        model=model,
        allowed=frozenset(allowed),
        natural=options.precision,
        forced=forced,
        pins=pins,
        marks=tuple(dict.fromkeys(marks)),
        strong=strong,
        tf32=_switch("tf32", knobs["tf32"]) if "tf32" in knobs else options.tf32,
        optimization_level=_level(knobs.get("optimization_level"), options.optimization_level),
        workspace=options.workspace,
        tactic_sources=_sources(knobs.get("tactic_sources")),
        build_route=_build_route(knobs.get("build_route"), version),
        profiles={**options.profiles, **request.profiles},
        values=request.values,
        plugins=options.plugins,
        calibration=_calibration(options, strong, version),
    )


def _check_precisions(
    allowed: set[Precision], pins: Mapping[str, Precision], strong: bool, version: str
) -> None:
    if "int8" in pins.values():
        raise BuildFailure(
            "a node cannot be pinned to int8.", "INT8 comes from QuantizeLinear/DequantizeLinear nodes."
        )
    if strong:
        if {"fp16", "bf16"} <= allowed:
            raise BuildFailure("a strongly typed build takes one low precision, not fp16 and bf16 at once.")
        return
    for precision in sorted(allowed):
        if not compat.has(_NEEDS_FLAG[precision], version):
            raise BuildFailure(f"TensorRT {version} has no {precision} in a weakly typed network.")


def _calibration(options: BuildOptions, strong: bool, version: str) -> CalibrationCache | None:
    if options.calibration_cache is None:
        return None
    if strong or not compat.has("CALIBRATION", version):
        typed = "in a strongly typed network" if compat.has("CALIBRATION", version) else "any more"
        raise BuildFailure(
            f"TensorRT {version} knows no calibration {typed}.",
            "Quantise the model itself, by QuantizeLinear and DequantizeLinear nodes.",
        )
    if options.precision != "int8":
        raise BuildFailure("a calibration cache says something of INT8 only.", "Give --int8 with it.")
    return read_calibration_cache(Path(options.calibration_cache))


def _strong(value: str | None, version: str) -> bool:
    wanted = _switch("strong_typing", value) if value is not None else not compat.has("WEAK_TYPING", version)
    if wanted and not compat.has("STRONG_TYPING", version):
        raise BuildFailure(f"TensorRT {version} has no strongly typed networks.", "They came with 9.0.")
    if not wanted and not compat.has("WEAK_TYPING", version):
        raise BuildFailure(f"TensorRT {version} has only strongly typed networks.")
    return wanted


def _switch(name: str, value: str) -> bool:
    if value not in _SWITCH:
        raise BuildFailure(f"builder knob {name} is on or off, not {value!r}.")
    return _SWITCH[value]


def _level(value: str | None, default: int | None) -> int | None:
    if value is None:
        return default
    if value not in ("0", "1", "2", "3", "4", "5"):
        raise BuildFailure(f"builder knob optimization_level is a number from 0 to 5, not {value!r}.")
    return int(value)


def _sources(value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _build_route(value: str | None, version: str) -> str | None:
    if value is not None and not compat.has("BUILD_ROUTE", version):
        raise BuildFailure(f"TensorRT {version} has no build routes.", "They came with 11.1.")
    return value
