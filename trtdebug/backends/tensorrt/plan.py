"""What a build request asks of TensorRT, said once and checked, before TensorRT is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.calibration import CalibrationCache, read_calibration_cache
from trtdebug.backends.tensorrt.knobs import Settings, read_knobs
from trtdebug.backends.tensorrt.tactics import is_pair
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import (
    BanTactic,
    BreakFusion,
    ForcePrecision,
    Knob,
    LowPrecision,
    MarkOutputs,
    PinPrecision,
    Precision,
    ReplaceGraph,
    UseTactic,
)

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
        settings: all knobs, checked; those of them that stand here as fields are said there.
        values: smallest, tuned and largest values of integer inputs, for those that hold shapes.
        calibration: INT8 scales for a model that has none itself; None = there is no such file.
        bans, uses: tactics that must not, and that have to be chosen.
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
    settings: Settings = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    values: Mapping[str, Profile] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    calibration: CalibrationCache | None = None
    bans: tuple[BanTactic, ...] = ()
    uses: tuple[UseTactic, ...] = ()

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
    # The first of the knobs, so that those of interventions add to the user's choice.
    sources = options.tactic_sources
    knobs = [Knob("tactic_sources", sources)] if sources is not None else []
    pins: dict[str, Precision] = {}
    forced: LowPrecision | None = None
    marks: list[str] = list(request.outputs or ())
    bans: list[BanTactic] = []
    uses: list[UseTactic] = []
    model = request.model
    for intervention in request.interventions:
        if isinstance(intervention, Knob):
            knobs.append(intervention)
        elif isinstance(intervention, PinPrecision):
            pins.update(dict.fromkeys(intervention.nodes, intervention.dtype))
        elif isinstance(intervention, ForcePrecision):
            forced = intervention.dtype
        elif isinstance(intervention, MarkOutputs):
            marks.extend(intervention.tensors)
        elif isinstance(intervention, BreakFusion):
            marks.append(intervention.tensor)
        elif isinstance(intervention, BanTactic):
            bans.append(intervention)
        elif isinstance(intervention, UseTactic):
            uses.append(intervention)
        elif isinstance(intervention, ReplaceGraph):
            model = Path(intervention.model)
        else:
            raise BuildFailure(
                f"the tensorrt backend cannot realise {type(intervention).__name__}.",
                "See the backend's `realises`.",
            )
    settings = read_knobs(knobs, version)
    strong = _strong(settings.get("strong_typing"), version)
    allowed: set[Precision] = {options.precision, *pins.values()} - {"fp32"}
    if forced is not None:
        allowed.add(forced)
    _check_precisions(allowed, pins, strong, version)
    level = _number(settings.get("optimization_level"), options.optimization_level)
    _check_tactics(bans, uses, level, version)
    return BuildPlan(
        model=model,
        allowed=frozenset(allowed),
        natural=options.precision,
        forced=forced,
        pins=pins,
        marks=tuple(dict.fromkeys(marks)),
        strong=strong,
        tf32=settings["tf32"] == "on" if "tf32" in settings else options.tf32,
        optimization_level=level,
        workspace=_number(settings.get("workspace"), options.workspace),
        settings=settings,
        profiles={**options.profiles, **request.profiles},
        values=request.values,
        plugins=options.plugins,
        calibration=_calibration(options, strong, version),
        bans=tuple(bans),
        uses=tuple(uses),
    )


def _check_tactics(
    bans: Iterable[BanTactic], uses: Iterable[UseTactic], level: int | None, version: str
) -> None:
    rules: list[BanTactic | UseTactic] = [*bans, *uses]
    by_ids = {rule.layer: rule.tactic for rule in rules if is_pair(rule.tactic)}
    if by_ids and not compat.has("ALGORITHM_SELECTOR", version):
        layer, tactic = next(iter(by_ids.items()))
        raise BuildFailure(
            f"TensorRT {version} has no algorithm selector: {tactic} of {layer!r} cannot be banned or used.",
            "There a tactic is named by its hash in the editable timing cache.",
        )
    if by_ids and level == 0:
        raise BuildFailure(
            "TensorRT lets nobody choose tactics at optimization level 0.", "Build at level 1 or higher."
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
    wanted = value == "on" if value is not None else not compat.has("WEAK_TYPING", version)
    if wanted and not compat.has("STRONG_TYPING", version):
        raise BuildFailure(f"TensorRT {version} has no strongly typed networks.", "They came with 9.0.")
    if not wanted and not compat.has("WEAK_TYPING", version):
        raise BuildFailure(f"TensorRT {version} has only strongly typed networks.")
    return wanted


def _number(value: str | None, default: int | None) -> int | None:
    return default if value is None else int(value)
