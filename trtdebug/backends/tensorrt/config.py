"""The builder configuration of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.plan import BuildPlan
from trtdebug.core.errors import BuildFailure

Constraints = Literal["obey", "prefer"]


def create_config(
    plan: BuildPlan, builder: Any, network: Any, timing_cache: Path | None, constraints: Constraints | None
) -> Any:
    """A trt.IBuilderConfig.

    Args:
        timing_cache: read if it exists.
        constraints: how layer precisions bind; None = none are set.

    Raises:
        BuildFailure: a dynamic input without a profile, or a name that this version does not have.
    """
    import tensorrt as trt
    from polygraphy.backend.trt import CreateConfig

    weak = not plan.strong
    limits = {trt.MemoryPoolType.WORKSPACE: plan.workspace} if plan.workspace is not None else None
    loader = CreateConfig(
        profiles=[_profile(plan, network)],
        tf32=plan.tf32,
        fp16=weak and "fp16" in plan.allowed,
        bf16=weak and "bf16" in plan.allowed,
        int8=weak and "int8" in plan.allowed,
        precision_constraints=constraints,
        memory_pool_limits=limits,
        load_timing_cache=str(timing_cache) if timing_cache is not None and timing_cache.is_file() else None,
        builder_optimization_level=plan.optimization_level,
        profiling_verbosity=trt.ProfilingVerbosity.DETAILED,
    )
    config = loader(builder, network)
    if plan.tactic_sources is not None:
        config.set_tactic_sources(_sources_mask(plan.tactic_sources, config.get_tactic_sources()))
    if plan.build_route is not None:
        config.build_route = plan.build_route
    return config


def _profile(plan: BuildPlan, network: Any) -> Any:
    from polygraphy.backend.trt import Profile

    profile = Profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if tensor.is_shape_tensor:
            raise BuildFailure(
                f"input {tensor.name!r} holds a shape, so TensorRT has to know its values when it builds.",
                "Make the input a constant of the model.",
            )
        shape = tuple(tensor.shape)
        if -1 not in shape:
            continue
        given = plan.profiles.get(tensor.name)
        if given is None:
            raise BuildFailure(f"input {tensor.name!r} has dynamic shape {shape}, but no profile is given.")
        if len(given.opt) != len(shape):
            raise BuildFailure(
                f"the profile of input {tensor.name!r} has rank {len(given.opt)}, the input {len(shape)}."
            )
        profile.add(tensor.name, min=given.min, opt=given.opt, max=given.max)
    return profile


def _sources_mask(wanted: tuple[str, ...], default: int) -> int:
    """Bit mask of tactic sources: plain names are all there is; "-NAME" drops one of the default."""
    import tensorrt as trt

    chosen = {n for n in compat.names(trt.TacticSource) if default >> int(getattr(trt.TacticSource, n)) & 1}
    if any(not name.startswith("-") for name in wanted):
        chosen = set()
    for name in wanted:
        if compat.member(trt.TacticSource, name.lstrip("-")) is None:
            raise BuildFailure(
                f"this TensorRT has no tactic source {name.lstrip('-')!r}.",
                f"There are: {', '.join(compat.names(trt.TacticSource))}.",
            )
        if name.startswith("-"):
            chosen.discard(name[1:])
        else:
            chosen.add(name)
    return sum(1 << int(getattr(trt.TacticSource, name)) for name in chosen)
