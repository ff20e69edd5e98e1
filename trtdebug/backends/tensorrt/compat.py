"""What each TensorRT version has. The only place that knows version numbers.

TensorRT's API that the backend uses is written down here, by the capability that brings it: the contract tests
check each name against the real bindings of 8.6, 10 and 11, and that the backend uses no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Version = tuple[int, int]

_START: Version = (0, 0)
_NEVER_ENDS: Version = (1_000_000, 0)


@dataclass(frozen=True)
class Capability:
    """What versions `since` <= version < `until`, (major, minor), have.

    Attributes:
        api: names in the tensorrt module that come and go with it, as "Class", "Class.attribute" or "Enum.MEMBER".
            Empty: it is how TensorRT behaves, not what it has.
    """

    since: Version = _START
    until: Version = _NEVER_ENDS
    api: tuple[str, ...] = ()


CAPABILITIES: dict[str, Capability] = {
    # the network
    "STRONG_TYPING": Capability(since=(9, 0), api=("NetworkDefinitionCreationFlag.STRONGLY_TYPED",)),
    "WEAK_TYPING": Capability(until=(11, 0)),
    "NATIVE_INT64": Capability(since=(9, 0), api=("DataType.INT64",)),
    "BOOL_OUTPUTS": Capability(since=(10, 0)),
    "PARSER_NODE_NAME": Capability(since=(9, 0), api=("ParserError.node_name", "ParserError.node_operator")),
    "PARSER_NODE_STACK": Capability(since=(10, 0), api=("ParserError.local_function_stack",)),
    "SUPPORTS_MODEL": Capability(until=(11, 0), api=("OnnxParser.supports_model",)),
    "SUPPORTS_MODEL_V2": Capability(
        since=(10, 1),
        api=(
            "OnnxParser.supports_model_v2",
            "OnnxParser.num_subgraphs",
            "OnnxParser.get_subgraph_nodes",
            "OnnxParser.is_subgraph_supported",
        ),
    ),
    # precision
    "LAYER_PRECISION": Capability(
        until=(11, 0),
        api=(
            "ILayer.precision",
            "ILayer.precision_is_set",
            "ILayer.set_output_type",
            "ILayer.reset_precision",
            "ILayer.reset_output_type",
            "BuilderFlag.OBEY_PRECISION_CONSTRAINTS",
            "BuilderFlag.PREFER_PRECISION_CONSTRAINTS",
        ),
    ),
    "FP16_FLAG": Capability(until=(11, 0), api=("BuilderFlag.FP16",)),
    "INT8_FLAG": Capability(until=(11, 0), api=("BuilderFlag.INT8",)),
    "BF16_FLAG": Capability(since=(9, 0), until=(11, 0), api=("BuilderFlag.BF16",)),
    "BF16_TYPE": Capability(since=(9, 0), api=("DataType.BF16",)),
    "CALIBRATION": Capability(
        until=(11, 0),
        api=(
            "IInt8EntropyCalibrator",
            "IInt8EntropyCalibrator2",
            "IInt8MinMaxCalibrator",
            "IBuilderConfig.int8_calibrator",
        ),
    ),
    # tactics
    "ALGORITHM_SELECTOR": Capability(
        until=(11, 0),
        api=(
            "IAlgorithmSelector",
            "IAlgorithmSelector.select_algorithms",
            "IAlgorithmSelector.report_algorithms",
            "IAlgorithmContext.name",
            "IAlgorithmContext.num_inputs",
            "IAlgorithmContext.num_outputs",
            "IAlgorithm.algorithm_variant",
            "IAlgorithm.get_algorithm_io_info",
            "IAlgorithm.timing_msec",
            "IAlgorithmIOInfo.components_per_element",
            "IAlgorithmIOInfo.dtype",
            "IAlgorithmIOInfo.strides",
            "IAlgorithmIOInfo.vectorized_dim",
            "IAlgorithmVariant.implementation",
            "IAlgorithmVariant.tactic",
            "IBuilderConfig.algorithm_selector",
            "BuilderFlag.REJECT_EMPTY_ALGORITHMS",
        ),
    ),
    "EDITABLE_TIMING_CACHE": Capability(
        since=(10, 8),
        api=(
            "BuilderFlag.EDITABLE_TIMING_CACHE",
            "ITimingCache.queryKeys",
            "ITimingCache.query",
            "ITimingCache.update",
            "TimingCacheKey",
            "TimingCacheKey.parse",
            "TimingCacheValue",
            "TimingCacheValue.tacticHash",
        ),
    ),
    "BUILD_ROUTE": Capability(
        since=(11, 1), api=("IBuilderConfig.build_route", "IBuilderConfig.all_build_routes")
    ),
    # global switches of the builder
    "EXTERNAL_TACTICS": Capability(
        until=(11, 0), api=("TacticSource.CUBLAS", "TacticSource.CUBLAS_LT", "TacticSource.CUDNN")
    ),
    "PREVIEW_8": Capability(
        until=(10, 0),
        api=(
            "PreviewFeature.FASTER_DYNAMIC_SHAPES_0805",
            "PreviewFeature.DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805",
        ),
    ),
    "PREVIEW_PROFILE_SHARING": Capability(until=(11, 0), api=("PreviewFeature.PROFILE_SHARING_0806",)),
    "PREVIEW_PLUGIN_IO": Capability(since=(10, 3), api=("PreviewFeature.ALIASED_PLUGIN_IO_10_03",)),
    "PREVIEW_RESIZE": Capability(since=(10, 10), api=("PreviewFeature.RUNTIME_ACTIVATION_RESIZE_10_10",)),
    "PREVIEW_MULTIDEVICE": Capability(
        since=(10, 16), until=(11, 0), api=("PreviewFeature.MULTIDEVICE_RUNTIME_10_16",)
    ),
    "STRICT_NANS": Capability(since=(10, 6), api=("BuilderFlag.STRICT_NANS",)),
    "DISTRIBUTIVE_INDEPENDENCE": Capability(since=(10, 12), api=("BuilderFlag.DISTRIBUTIVE_INDEPENDENCE",)),
    # observing
    "DEBUG_TENSORS": Capability(
        since=(10, 0),
        api=(
            "INetworkDefinition.mark_debug",
            "INetworkDefinition.unmark_debug",
            "INetworkDefinition.is_debug_tensor",
            "IDebugListener",
            "ICudaEngine.is_debug_tensor",
            "IExecutionContext.set_debug_listener",
            "IExecutionContext.set_tensor_debug_state",
            "IExecutionContext.set_all_tensors_debug_state",
        ),
    ),
    "UNFUSED_DEBUG_TENSORS": Capability(
        since=(10, 12),
        api=(
            "INetworkDefinition.mark_unfused_tensors_as_debug_tensors",
            "INetworkDefinition.unmark_unfused_tensors_as_debug_tensors",
            "IExecutionContext.unfused_tensors_debug_state",
        ),
    ),
    # plugins
    "PLUGIN_CREATOR_LIST": Capability(until=(11, 0), api=("IPluginRegistry.plugin_creator_list",)),
    "ALL_PLUGIN_CREATORS": Capability(since=(10, 0), api=("IPluginRegistry.all_creators",)),
}
"""What some versions have and others lack, by the name under which `has` is asked."""

ALWAYS: dict[str, tuple[str, ...]] = {
    "": ("Builder", "get_plugin_registry", "init_libnvinfer_plugins", "int32"),
    "DataType": ("FLOAT", "HALF", "INT8", "INT32"),
    "EngineInspector": ("execution_context", "get_engine_information"),
    "IBuilderConfig": (
        "clear_flag",
        "create_timing_cache",
        "get_tactic_sources",
        "get_timing_cache",
        "set_flag",
        "set_preview_feature",
        "set_tactic_sources",
        "set_timing_cache",
    ),
    "ICudaEngine": (
        "create_engine_inspector",
        "create_execution_context",
        "get_tensor_dtype",
        "get_tensor_mode",
        "get_tensor_name",
        "get_tensor_profile_shape",
        "get_tensor_shape",
        "is_shape_inference_io",
        "num_io_tensors",
    ),
    "IExecutionContext": ("execute_async_v3", "profiler", "set_input_shape"),
    "ILayer": ("get_input", "get_output", "metadata", "name", "num_inputs", "num_outputs", "type"),
    "ILogger": ("log",),
    "INetworkDefinition": (
        "add_cast",
        "get_input",
        "get_layer",
        "get_output",
        "mark_output",
        "num_inputs",
        "num_layers",
        "num_outputs",
        "unmark_output",
    ),
    "IPluginRegistry": ("load_library",),
    "IProfiler": ("report_layer_time",),
    "ITensor": ("dtype", "is_execution_tensor", "is_shape_tensor", "name", "shape"),
    "ITimingCache": ("combine", "serialize"),
    "LayerInformationFormat": ("JSON",),
    "MemoryPoolType": ("WORKSPACE",),
    "OnnxParser": ("get_error", "num_errors", "parse", "parse_from_file"),
    "ParserError": ("code", "desc", "node"),
    "ProfilingVerbosity": ("DETAILED",),
    "Runtime": ("deserialize_cuda_engine",),
    "TacticSource": ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"),
    "TensorIOMode": ("INPUT", "OUTPUT"),
}
"""API that the backend uses and that every version from 8.6 on has, by class; functions of the module under ""."""

# TensorRT-RTX counts its versions from 1 and has its own line; 1.7 has the API of TensorRT 11.1.
_RTX_MAJORS = (1, 2, 3)
_RTX_IS_LIKE: Version = (11, 1)


def parse_version(text: str) -> Version:
    """(major, minor) of a version string such as "8.6.0" or "10.16.1.11"; for TensorRT-RTX that of its TensorRT.

    Raises:
        ValueError: the text has no such start.
    """
    match = re.match(r"(\d+)\.(\d+)", text)
    if match is None:
        raise ValueError(f"not a TensorRT version: {text!r}")
    version = int(match[1]), int(match[2])
    return _RTX_IS_LIKE if version[0] in _RTX_MAJORS else version


def installed() -> str:
    """Version of the installed TensorRT, such as "10.16.1.11". Imports it."""
    import tensorrt

    return str(tensorrt.__version__)


def has(capability: str, version: str | None = None) -> bool:
    """Whether a TensorRT version has a capability of `CAPABILITIES`.

    Args:
        version: None = the installed TensorRT, which gets imported.

    Raises:
        KeyError: no such capability.
    """
    found = CAPABILITIES[capability]
    return found.since <= parse_version(installed() if version is None else version) < found.until


def members(enum: str, version: str) -> tuple[str, ...]:
    """Members of an enum that this version has, as far as this table names them, sorted.

    Args:
        enum: its name in the tensorrt module.
    """
    paths = (
        path for name, capability in CAPABILITIES.items() if has(name, version) for path in capability.api
    )
    found = {path.removeprefix(f"{enum}.") for path in paths if path.startswith(f"{enum}.")}
    return tuple(sorted(found | set(ALWAYS.get(enum, ()))))


def optional(found: Any, path: str) -> Any | None:
    """The attribute "Class.attribute" of an object, or None where this TensorRT lacks it.

    Raises:
        KeyError: no capability has this attribute, so its absence would be an error of ours.
    """
    if not any(path in capability.api for capability in CAPABILITIES.values()):
        raise KeyError(path)
    return getattr(found, path.rpartition(".")[2], None)


def member(enum: Any, name: str) -> Any | None:
    """The enum member of this name, or None where this version lacks it."""
    return getattr(enum, "__members__", {}).get(name)


def names(enum: Any) -> tuple[str, ...]:
    """Names of an enum's members, sorted. Integer values change between versions: only names are kept."""
    return tuple(sorted(getattr(enum, "__members__", {})))


TRT_TYPE = {"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16", "int8": "INT8"}
"""Our precision names -> members of trt.DataType."""

NUMPY_TYPE = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "BOOL": "bool",
    "BF16": "bfloat16",
}
"""Members of trt.DataType -> numpy's names. trt.nptype breaks with some pairs of TensorRT and numpy."""
