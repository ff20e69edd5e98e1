"""Interventions: declared changes to the candidate's build. Data until a backend realises them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LowPrecision = Literal["fp16", "bf16"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]


@dataclass(frozen=True)
class PinPrecision:
    """Compute `nodes` (ONNX node names) in `dtype` and store their outputs in it."""

    nodes: tuple[str, ...]
    dtype: Precision = "fp32"


@dataclass(frozen=True)
class ForcePrecision:
    """Compute every float node that no `PinPrecision` names in `dtype`, instead of only allowing it."""

    dtype: LowPrecision


@dataclass(frozen=True)
class BanTactic:
    """Keep the builder from choosing `tactic` (hex of the signed 64-bit id) for the engine layer `layer`."""

    layer: str
    tactic: str


@dataclass(frozen=True)
class Knob:
    """One global builder switch by name: `tf32`, `optimization_level`, `tactic_sources`, `build_route`, ..."""

    name: str
    value: str


@dataclass(frozen=True)
class MarkOutputs:
    """Make these tensors (ONNX names) outputs of the engine."""

    tensors: tuple[str, ...]


@dataclass(frozen=True)
class BreakFusion:
    """Keep the builder from fusing across this tensor (ONNX name)."""

    tensor: str


@dataclass(frozen=True)
class ReplaceGraph:
    """Build this model file instead of the case's; `sha256` names its content."""

    model: str
    sha256: str


Intervention = PinPrecision | ForcePrecision | BanTactic | Knob | MarkOutputs | BreakFusion | ReplaceGraph
