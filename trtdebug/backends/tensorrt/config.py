"""The builder configuration of a plan."""

from __future__ import annotations

import glob
from collections.abc import Collection
from typing import Any

from trtdebug.backends.tensorrt.constraints import Constraints
from trtdebug.backends.tensorrt.knobs import apply_knobs
from trtdebug.backends.tensorrt.plan import BuildPlan
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure

_INT32_MAX = 2**31 - 1


def create_config(
    plan: BuildPlan,
    builder: Any,
    network: Any,
    timing_cache: bytes,
    constraints: Constraints | None,
    calibration: Any = None,
    selector: Any = None,
) -> Any:
    """A trt.IBuilderConfig.

    Args:
        timing_cache: a serialised one to start from; b"" = none.
        constraints: how layer precisions bind; None = none are set.
        calibration: a trt.IInt8Calibrator, for networks without quantisation of their own.
        selector: a trt.IAlgorithmSelector; with one, tactics are timed without the timing cache.

    Raises:
        BuildFailure: a dynamic input without a profile, a profile that TensorRT does not take, or a name that this
            version does not have.
    """
    import tensorrt as trt
    from polygraphy.backend.trt import CreateConfig

    weak = not plan.strong
    limits = {trt.MemoryPoolType.WORKSPACE: plan.workspace} if plan.workspace is not None else None
    loader = CreateConfig(
        profiles=[_profile(plan, builder, network)],
        tf32=plan.tf32,
        fp16=weak and "fp16" in plan.allowed,
        bf16=weak and "bf16" in plan.allowed,
        int8=weak and "int8" in plan.allowed,
        calibrator=calibration,
        precision_constraints=constraints,
        memory_pool_limits=limits,
        builder_optimization_level=plan.optimization_level,
        profiling_verbosity=trt.ProfilingVerbosity.DETAILED,
        algorithm_selector=selector,
    )
    config = loader(builder, network)
    if timing_cache:  # Polygraphy reads files only, and sets a new one
        config.set_timing_cache(config.create_timing_cache(timing_cache), ignore_mismatch=False)
    if selector is not None:  # else a selection of nothing would mean "as you like"
        config.set_flag(trt.BuilderFlag.REJECT_EMPTY_ALGORITHMS)
    apply_knobs(trt, config, plan.settings)
    return config


def fed_name(name: str, known: Collection[str]) -> str:
    """Name under which a network input is fed: the parser calls an input that is also an output "__<name>"."""
    return name if name in known else name.removeprefix("__")


def _profile(plan: BuildPlan, builder: Any, network: Any) -> Any:
    from polygraphy.backend.trt import Profile as PolygraphyProfile

    profile = PolygraphyProfile()
    ranges = input_ranges(plan, network)
    for name, given in ranges.items():
        # Polygraphy takes names for patterns.
        profile.add(glob.escape(name), min=given.min, opt=given.opt, max=given.max)
    try:
        profile.to_trt(builder, network)
    except (
        RuntimeError,
        TypeError,
    ) as error:  # TypeError: pybind's, of numbers that TensorRT has no room for
        told = "; ".join(f"{name!r} {r.min} to {r.max}, tuned for {r.opt}" for name, r in ranges.items())
        raise BuildFailure(f"TensorRT takes no such profile: {told}: {str(error).splitlines()[0]}") from error
    return profile


def input_ranges(plan: BuildPlan, network: Any) -> dict[str, Profile]:
    """Shapes for every input of a trt.INetworkDefinition; for those that hold shapes their values.

    Raises:
        BuildFailure: they are not known, or do not fit the input.
    """
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    return {t.name: _values(plan, t) if t.is_shape_tensor else _shapes(plan, t) for t in tensors}


def _shapes(plan: BuildPlan, tensor: Any) -> Profile:
    shape = tuple(tensor.shape)
    if -1 not in shape:
        return Profile(shape, shape, shape)
    given = plan.profiles.get(fed_name(tensor.name, plan.profiles))
    if given is None:
        raise BuildFailure(f"input {tensor.name!r} has dynamic shape {shape}, but no profile is given.")
    if len(given.opt) != len(shape):
        raise BuildFailure(
            f"the profile of input {tensor.name!r} has rank {len(given.opt)}, the input {len(shape)}."
        )
    return given


def _values(plan: BuildPlan, tensor: Any) -> Profile:
    given = plan.values.get(fed_name(tensor.name, plan.values))
    if given is None:
        raise BuildFailure(
            f"input {tensor.name!r} holds a shape, so TensorRT has to know its values when it builds, and no "
            "sample tells them.",
            "Give samples in which it always has as many elements, or make it a constant of the model.",
        )
    if max(map(abs, (*given.min, *given.max)), default=0) > _INT32_MAX:
        raise BuildFailure(f"input {tensor.name!r} holds a shape, and a value of it is beyond INT32.")
    if -1 in tuple(tensor.shape):  # the length of a shape is fixed at build time
        tensor.shape = (len(given.opt),)
    return given
