"""From a prepared model to a serialized engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.complaints import builder_error, parse_failure, parser_error
from trtdebug.backends.tensorrt.graph_input import onnx_source
from trtdebug.backends.tensorrt.knobs import apply_knobs
from trtdebug.backends.tensorrt.layers import layer_names, owners, read_layers
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure
from trtdebug_rtx.module import last_words, logger, said, tensorrt_rtx
from trtdebug_rtx.request import Prepared


def serialise(request: BuildRequest, prepared: Prepared) -> bytes:
    """Builds; works without a GPU.

    Raises:
        BuildFailure: the parser or the builder refuses; names the node that the parser blames.
    """
    trt: Any = tensorrt_rtx()
    said.clear()
    builder = new_builder()
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger())
    _parse(parser, prepared.model.proto, request.workdir)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    plan = prepared.plan
    if not plan.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if plan.optimization_level is not None:
        config.builder_optimization_level = plan.optimization_level
    if plan.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, plan.workspace)
    apply_knobs(trt, config, plan.settings)
    profile = builder.create_optimization_profile()
    _set_shapes(profile, network, plan.profiles)
    config.add_optimization_profile(profile)
    said.clear()
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        why = last_words("it does not say why")
        layers = read_layers(network, ask_shapes=False)
        error = builder_error(why, layer_names(layers, owners(layers, prepared.model.ops)))
        raise BuildFailure(f"TensorRT-RTX does not build it: {why}", node=error.node, errors=(error,))
    return bytes(serialised)


def new_builder() -> Any:
    """A builder; works without a GPU.

    Raises:
        BuildFailure: none can be had here.
    """
    try:
        return tensorrt_rtx().Builder(logger())
    except TypeError as error:  # what the bindings make of a builder that cannot be had
        why = last_words("it does not say why")
        raise BuildFailure(f"TensorRT-RTX makes no builder here: {why}") from error


def _parse(parser: Any, model: onnx.ModelProto, workdir: Path) -> None:
    source = onnx_source(model, workdir)
    if parser.parse(source) if isinstance(source, bytes) else parser.parse_from_file(str(source)):
        return
    names, operators = [n.name for n in model.graph.node], [n.op_type for n in model.graph.node]
    errors = [parser_error(parser.get_error(i), names, operators, said) for i in range(parser.num_errors)]
    raise parse_failure(errors, said[0] if said else "", "TensorRT-RTX")


def _set_shapes(profile: Any, network: Any, profiles: Mapping[str, Profile]) -> None:
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if tensor.is_shape_tensor:
            raise BuildFailure(
                f"input {tensor.name!r} holds a shape, which is not supported with TensorRT-RTX."
            )
        if -1 not in tuple(tensor.shape):
            continue
        given = profiles.get(tensor.name)
        if given is None:
            raise BuildFailure(f"input {tensor.name!r} has a dynamic shape, but no profile is given.")
        try:
            profile.set_shape(tensor.name, given.min, given.opt, given.max)
        except ValueError as error:
            raise BuildFailure(f"input {tensor.name!r} does not take the profile {given}: {error}") from error
