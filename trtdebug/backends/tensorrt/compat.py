"""What each TensorRT version has. The only place that knows version numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Version = tuple[int, int]

_START: Version = (0, 0)
_NEVER_ENDS: Version = (1_000_000, 0)


@dataclass(frozen=True)
class Span:
    """Versions that have a capability: `since` <= version < `until`, (major, minor)."""

    since: Version = _START
    until: Version = _NEVER_ENDS


CAPABILITIES: dict[str, Span] = {
    # the network
    "EXPLICIT_BATCH_FLAG": Span(until=(10, 0)),  # must be given; later ignored, in 11 gone
    "STRONG_TYPING": Span(since=(9, 0)),
    "WEAK_TYPING": Span(until=(11, 0)),
    "NATIVE_INT64": Span(since=(9, 0)),
    "BOOL_OUTPUTS": Span(since=(10, 0)),
    "PARSER_NODE_NAME": Span(since=(9, 0)),
    # precision
    "LAYER_PRECISION": Span(until=(11, 0)),
    "FP16_FLAG": Span(until=(11, 0)),
    "INT8_FLAG": Span(until=(11, 0)),
    "BF16_FLAG": Span(since=(9, 0), until=(11, 0)),
    # tactics
    "ALGORITHM_SELECTOR": Span(until=(11, 0)),
    "EDITABLE_TIMING_CACHE": Span(since=(10, 8)),
    "BUILD_ROUTE": Span(since=(11, 1)),
    # observing
    "DEBUG_TENSORS": Span(since=(10, 0)),
    "UNFUSED_DEBUG_TENSORS": Span(since=(10, 12)),
}
"""Capability -> versions that have it. Enum members that come and go are asked by name (`member`)."""


def parse_version(text: str) -> Version:
    """(major, minor) of a version string such as "8.6.0" or "10.16.1.11".

    Raises:
        ValueError: the text has no such start.
    """
    match = re.match(r"(\d+)\.(\d+)", text)
    if match is None:
        raise ValueError(f"not a TensorRT version: {text!r}")
    return int(match[1]), int(match[2])


def has(capability: str, version: str | None = None) -> bool:
    """Whether a TensorRT version has a capability of `CAPABILITIES`.

    Args:
        version: None = the installed TensorRT, which gets imported.

    Raises:
        KeyError: no such capability.
    """
    span = CAPABILITIES[capability]
    if version is None:
        import tensorrt

        version = str(tensorrt.__version__)
    return span.since <= parse_version(version) < span.until


def member(enum: Any, name: str) -> Any | None:
    """The enum member of this name, or None where this version lacks it."""
    return getattr(enum, "__members__", {}).get(name)


def names(enum: Any) -> tuple[str, ...]:
    """Names of an enum's members, sorted. Integer values change between versions: only names are kept."""
    return tuple(sorted(getattr(enum, "__members__", {})))


TRT_TYPE = {"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16", "int8": "INT8"}
"""Our precision names -> members of trt.DataType."""

PRECISION_OF = {name: precision for precision, name in TRT_TYPE.items()}
"""Members of trt.DataType -> our precision names; other members have none."""

NUMPY_TYPE = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "BOOL": "bool",
}
"""Members of trt.DataType -> numpy's names. trt.nptype breaks with some pairs of TensorRT and numpy."""
