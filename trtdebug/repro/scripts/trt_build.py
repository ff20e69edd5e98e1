"""Builds a repro with TensorRT 8.6 to 11, the low precision forced."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtdebug.core.errors import UserError
from trtdebug.repro.scripts.builder_options import set_options
from trtdebug.repro.scripts.cuda import cuda_runtime
from trtdebug.repro.scripts.engine import infer
from trtdebug.repro.scripts.folder import existing
from trtdebug.repro.scripts.result import BuildFailed, Run, Tensor, Untestable
from trtdebug.scripts.plugin_libraries import load_plugins


def run_tensorrt(folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]) -> Run:
    """Builds with the low precision forced on every float layer that is not pinned, and runs once."""
    cudart = cuda_runtime()  # first: TensorRT 8.6 segfaults where there is no GPU
    try:
        import tensorrt as trt
    except ImportError as error:
        raise Untestable(f"tensorrt is not installed ({error}): pip install tensorrt cuda-python") from None
    logger = stderr_logger(trt)
    try:
        load_plugins(trt, logger, manifest["options"].get("plugins", []))
        plan, notes = _build(trt, logger, folder, manifest, feeds)
    except UserError as error:
        raise Untestable(str(error)) from None
    outputs = infer(trt, logger, cudart, plan, feeds)
    return Run(f"tensorrt {trt.__version__}", outputs, tuple(notes))


def stderr_logger(trt: Any) -> Any:
    """Prints errors to stderr: TensorRT's own logger has stdout, where the result goes."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity.name in ("ERROR", "INTERNAL_ERROR"):
                print(f"[TensorRT] {message}", file=sys.stderr)

    return Logger()


def _build(
    trt: Any, logger: Any, folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]
) -> tuple[Any, list[str]]:
    """The serialised engine. First obeys the forced precision, then prefers it where that can't be built."""
    low = manifest["precision"] in ("fp16", "bf16")
    # TensorRT 11 has no precision flags; there the precision stands in the model, as Casts.
    weak = hasattr(trt.BuilderFlag, "FP16")
    if not low or weak:
        model = manifest["model"]
    elif manifest.get("typed"):
        model = manifest["typed"]
    else:
        raise Untestable("this TensorRT needs a strongly typed model, and the folder has none")
    notes: list[str] = []
    for constraint in ("OBEY", "PREFER"):
        builder = trt.Builder(logger)
        network = builder.create_network(_flag(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"))
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(str(existing(folder, model))):
            errors = "; ".join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
            raise BuildFailed(f"TensorRT's parser refuses {model}: {errors}")
        config = _config(trt, builder, network, manifest, feeds)
        if low and weak:
            _set_flag(trt, config, manifest["precision"].upper())
            _set_flag(trt, config, f"{constraint}_PRECISION_CONSTRAINTS")
            forced = _force(trt, network, manifest["precision"], frozenset(manifest["pinned"]))
            notes.append(f"{constraint.lower()}: {forced} of {network.num_layers} layers forced")
        plan = builder.build_serialized_network(network, config)
        if plan is not None:
            return plan, notes
        if not (low and weak):
            break
        notes.append(f"{constraint.lower()}: the build failed")
    raise BuildFailed("TensorRT built no engine" + (f" ({'; '.join(notes)})" if notes else ""))


def _config(
    trt: Any, builder: Any, network: Any, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]
) -> Any:
    config = builder.create_builder_config()
    set_options(trt, config, manifest["options"])
    if manifest["precision"] == "int8" and hasattr(trt.BuilderFlag, "INT8"):
        config.set_flag(trt.BuilderFlag.INT8)
    profile, dynamic = builder.create_optimization_profile(), False
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        if -1 in tuple(tensor.shape):
            shape = tuple(feeds[tensor.name].shape)
            profile.set_shape(tensor.name, shape, shape, shape)
            dynamic = True
    if dynamic:
        config.add_optimization_profile(profile)
    return config


def _force(trt: Any, network: Any, precision: str, pinned: frozenset[str]) -> int:
    """Sets precision and output types on every layer that takes them. Returns how many got the low one."""
    low = trt.float16 if precision == "fp16" else trt.bfloat16
    floats = {trt.float32, low}
    forced = 0
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        outputs = [layer.get_output(k) for k in range(layer.num_outputs)]
        inputs = [t for k in range(layer.num_inputs) if (t := layer.get_input(k)) is not None]
        if layer.type in (trt.LayerType.CONSTANT, trt.LayerType.SHAPE) or not outputs:
            continue
        if any(t.is_shape_tensor for t in (*inputs, *outputs)) or any(t.dtype not in floats for t in outputs):
            continue
        dtype = trt.float32 if _node(layer) in pinned else low
        layer.precision = dtype
        for k in range(layer.num_outputs):
            layer.set_output_type(k, dtype)
        forced += dtype == low
    return forced


def _node(layer: Any) -> str:
    """ONNX node that a layer comes from: TensorRT notes it as "[ONNX Layer: name]"."""
    metadata = str(getattr(layer, "metadata", "") or "")
    start, end = "[ONNX Layer: ", "]"
    if metadata.startswith(start) and metadata.endswith(end):
        return metadata[len(start) : -len(end)]
    return str(layer.name)


def _flag(enum: Any, name: str) -> int:
    """Bit of a flag; 0 in versions that have it no more."""
    value = getattr(enum, name, None)
    return 0 if value is None else 1 << int(value)


def _set_flag(trt: Any, config: Any, name: str) -> None:
    flag = getattr(trt.BuilderFlag, name, None)
    if flag is None:
        raise Untestable(f"TensorRT {trt.__version__} has no builder flag {name}")
    config.set_flag(flag)
