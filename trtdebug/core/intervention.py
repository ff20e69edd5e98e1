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
    """Keep the builder from choosing `tactic` for the engine layer `layer`.

    Attributes:
        layer: the name that the builder gives the layer, "conv1 + relu1" where it fuses.
        tactic: "IMPLEMENTATION:TACTIC", both ids in hex and unsigned (two's complement of the builder's signed 64
            bits), such as "0x80000009:0x5b8bf1b8028629d9": the pair is banned in all its formats of inputs and
            outputs. Without a colon, the tactic hash of TensorRT's editable timing cache (10.8 and later).
    """

    layer: str
    tactic: str


@dataclass(frozen=True)
class UseTactic:
    """Have the builder choose `tactic` for the engine layer `layer`, in whichever formats it likes.

    Attributes:
        layer, tactic: as in `BanTactic`; "*:TACTIC" is that tactic of any implementation, since a finished engine
            does not tell which one it is of.
    """

    layer: str
    tactic: str


@dataclass(frozen=True)
class Knob:
    """One global builder switch by name: `tf32`, `optimization_level`, `tactic_sources`, `build_route`, ..."""

    name: str
    value: str


EVERY_TENSOR = "*"
"""In `MarkOutputs`: every tensor of the builder's own network that can be an output."""


@dataclass(frozen=True)
class MarkOutputs:
    """Make these tensors outputs of the engine: ONNX names, names of the builder's own network, `EVERY_TENSOR`."""

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


Intervention = (
    PinPrecision | ForcePrecision | BanTactic | UseTactic | Knob | MarkOutputs | BreakFusion | ReplaceGraph
)
