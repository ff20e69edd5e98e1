"""From a prepared model to a serialized engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtdebug.backends.base import BuildRequest
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.graph.load import save_model
from trtdebug_rtx.module import last_words, logger, said, tensorrt_rtx
from trtdebug_rtx.request import Prepared

_PROTOBUF_LIMIT = 1_900_000_000


def serialise(request: BuildRequest, prepared: Prepared) -> bytes:
    """Builds; works without a GPU.

    Raises:
        BuildFailure: the parser or the builder refuses; names the node that the parser blames.
    """
    trt: Any = tensorrt_rtx()
    said.clear()
    try:
        builder = trt.Builder(logger())
    except TypeError as error:  # what the bindings make of a builder that cannot be had
        raise BuildFailure(
            f"TensorRT-RTX makes no builder here: {last_words('it does not say why')}"
        ) from error
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger())
    _parse(parser, prepared, request.workdir)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not prepared.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if prepared.level is not None:
        config.builder_optimization_level = prepared.level
    if request.options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.options.workspace)
    profile = builder.create_optimization_profile()
    _set_shapes(profile, network, {**request.options.profiles, **request.profiles})
    config.add_optimization_profile(profile)
    said.clear()
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        raise BuildFailure(f"TensorRT-RTX does not build it: {last_words('it does not say why')}")
    return bytes(serialised)


def _parse(parser: Any, prepared: Prepared, workdir: Path) -> None:
    if prepared.model.ByteSize() < _PROTOBUF_LIMIT:
        parsed = parser.parse(prepared.model.SerializeToString())
    else:
        save_model(prepared.model, workdir / "rtx.onnx")
        parsed = parser.parse_from_file(str(workdir / "rtx.onnx"))
    if parsed:
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    if not errors:
        raise BuildFailure(f"TensorRT-RTX's parser refuses the model: {last_words('it does not say why')}")
    first = errors[0]
    names = [node.name for node in prepared.model.graph.node]
    index = first.node()
    node = first.node_name() or (names[index] if 0 <= index < len(names) else "")
    raise BuildFailure(
        f"TensorRT-RTX's parser refuses node {node!r} ({first.node_operator()}): {' '.join(first.desc().split())}",
        node=node or None,
    )


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
