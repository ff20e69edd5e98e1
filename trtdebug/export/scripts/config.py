"""The builder configuration of a fix: the user's options, its knobs, its tactics."""

from __future__ import annotations

from typing import Any

from trtdebug.backends.tensorrt.calibration import calibrator, read_calibration_cache
from trtdebug.backends.tensorrt.constraints import Constraints
from trtdebug.backends.tensorrt.knobs import apply_knobs
from trtdebug.backends.tensorrt.selector import make_selector
from trtdebug.backends.tensorrt.tactics import TacticChoice, TacticRules, is_pair
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.export.scripts.network import Network
from trtdebug.export.scripts.order import Order, inside

_FLAGS = {"fp16": "FP16", "bf16": "BF16", "int8": "INT8"}


def make_config(network: Network, constraints: Constraints | None, choice: TacticChoice | None) -> Any:
    """The trt.IBuilderConfig of the user's options and the fix's knobs."""
    trt, order = network.trt, network.order
    options, knobs = order.options, {**order.wanted.knobs, **_sources(trt, order)}
    builder = network.builder
    config = builder.create_builder_config()
    if not order.strong:
        allowed = {options["precision"], *order.wanted.pins.values(), order.wanted.forced}
        if network.quantised:
            allowed.add("int8")
        for precision in sorted(allowed & _FLAGS.keys()):
            config.set_flag(_enum_member(trt, "BuilderFlag", _FLAGS[precision]))
        if constraints is not None:
            config.set_flag(getattr(trt.BuilderFlag, f"{constraints.upper()}_PRECISION_CONSTRAINTS"))
    if not (knobs["tf32"] == "on" if "tf32" in knobs else options["tf32"]):
        config.clear_flag(trt.BuilderFlag.TF32)
    level = knobs.get("optimization_level", options["optimization_level"])
    if level is not None:
        config.builder_optimization_level = int(level)
    workspace = knobs.get("workspace", options["workspace"])
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(workspace))
    try:
        apply_knobs(trt, config, knobs)
    except AttributeError as error:
        raise UserError(f"TensorRT {trt.__version__} lacks a knob of the fix: {error}.") from None
    calibration = order.fix.get("calibration")
    if calibration and not order.strong:
        network.kept.append(calibrator(read_calibration_cache(inside(order.folder, calibration))))
        config.int8_calibrator = network.kept[-1]
    if choice is not None:
        choice.begin()
        network.kept.append(make_selector(choice))
        config.algorithm_selector = network.kept[-1]
        config.set_flag(trt.BuilderFlag.DISABLE_TIMING_CACHE)  # a cached choice is not asked for again
        config.set_flag(
            trt.BuilderFlag.REJECT_EMPTY_ALGORITHMS
        )  # else to select nothing would mean "as you like"
    elif _has_cache(trt, order):
        config.set_flag(trt.BuilderFlag.EDITABLE_TIMING_CACHE)
        content = inside(order.folder, order.fix["timing_cache"]).read_bytes()
        if not config.set_timing_cache(config.create_timing_cache(content), ignore_mismatch=False):
            raise UserError(
                "this TensorRT or GPU does not take the fix's timing cache.", "Find the fix here."
            )
    _add_profile(network, config)
    return config


def _sources(trt: Any, order: Order) -> dict[str, str]:
    """The tactic sources of the user and those of the fix; what the user drops this TensorRT may lack anyway."""
    own, of_fix = order.options.get("tactic_sources"), order.wanted.knobs.get("tactic_sources")
    words = own.split(",") if own else []
    words = [w for w in words if not w.startswith("-") or hasattr(trt.TacticSource, w[1:])]
    words += [of_fix] if of_fix else []
    return {"tactic_sources": ",".join(words)} if words else {}


def _enum_member(trt: Any, enum: str, name: str) -> Any:
    found = getattr(getattr(trt, enum), name, None)
    if found is None:
        raise UserError(f"TensorRT {trt.__version__} has no {enum}.{name}.", "Use another version.")
    return found


def _add_profile(network: Network, config: Any) -> None:
    """Shapes of dynamic inputs, and values of those that hold shapes, as the session had them."""
    builder, inputs = network.builder, network.network
    profile, used = builder.create_optimization_profile(), False
    shapes, values = network.order.fix["profiles"], network.order.fix["values"]
    for index in range(inputs.num_inputs):
        tensor = inputs.get_input(index)
        # The parser calls an input that is also an output "__<name>".
        name = tensor.name if tensor.name in shapes else tensor.name.removeprefix("__")
        if not tensor.is_shape_tensor and -1 not in tuple(tensor.shape):
            continue
        given = (values if tensor.is_shape_tensor else shapes).get(name)
        if given is None:
            raise UserError(f"fix.json has no profile for the dynamic input {name!r}.", "Find the fix anew.")
        if tensor.is_shape_tensor and -1 in tuple(tensor.shape):
            tensor.shape = (len(given["opt"]),)
        put = profile.set_shape_input if tensor.is_shape_tensor else profile.set_shape
        try:
            put(tensor.name, *(tuple(given[key]) for key in ("min", "opt", "max")))
        except (RuntimeError, TypeError) as error:
            raise UserError(f"the profile of {name!r} does not fit: {str(error).splitlines()[0]}.") from None
        used = True
    if used and config.add_optimization_profile(profile) < 0:
        raise UserError("TensorRT takes no such profile.", "See `profiles` in fix.json.")


def choice_of(trt: Any, order: Order) -> TacticChoice | None:
    """The rules for tactics; None where there are none, or where the timing cache of the folder holds them.

    Raises:
        UserError: this TensorRT cannot be told which tactics to use.
    """
    rules: list[BanTactic | UseTactic] = [*order.wanted.bans, *order.wanted.uses]
    if not rules or _has_cache(trt, order):
        return None
    if not hasattr(trt, "IAlgorithmSelector") or not all(is_pair(rule.tactic) for rule in rules):
        raise UserError(
            f"TensorRT {trt.__version__} cannot be told which tactics to use, and the folder holds no timing cache.",
            "Find the fix with this TensorRT." if hasattr(trt, "IAlgorithmSelector") else "Use 8.6 to 10.",
        )
    return TacticChoice(TacticRules.of(order.wanted.bans, order.wanted.uses))


def _has_cache(trt: Any, order: Order) -> bool:
    """Whether the folder has a timing cache that this TensorRT can take for a rule, and not only for a hint."""
    return bool(order.fix.get("timing_cache")) and hasattr(trt.BuilderFlag, "EDITABLE_TIMING_CACHE")


def tactic_notes(choice: TacticChoice | None) -> list[str]:
    """What was chosen. Raises `BuildFailure` where the rules could not be kept: then the fix is not in the engine."""
    if choice is None:
        return []
    choice.check()
    for line in choice.ignored(()):
        raise BuildFailure(line)
    return [
        f"tactic: {layer}: {choice.chosen[layer].name}, of {len(choice.offered[layer])} choices"
        for layer in choice.rules.layers
    ]
