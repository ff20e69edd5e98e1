"""What a repro is made of, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import Precision
from trtdebug.core.outcome import Signature
from trtdebug.oracle.verdict import same_failure


@dataclass(frozen=True)
class ChosenFrom:
    """What an output that holds indices (ArgMax, ArgMin, TopK) was chosen from.

    Attributes:
        values: the tensor's ONNX name.
        axis, keepdims, limit, atol, rtol: see `Choice`.
    """

    values: str
    axis: int
    keepdims: bool
    limit: float
    atol: float | None = None
    rtol: float | None = None


@dataclass(frozen=True)
class ReproSpec:
    """A piece of a model that fails by itself, and how to see it.

    Attributes:
        model: the whole model's file.
        nodes: the piece: ONNX node names.
        inputs: recorded reference values (.npy) per tensor that the piece reads from outside and that is no
            weight, and per tensor that indices were chosen from, by ONNX name. More than that does no harm.
        expected: reference values (.npy) per output of the piece, by ONNX name.
        signature: how the piece is known to fail; None = it passes, and the folder is a unit test of it.
        limit: relative RMS error ||c - r|| / ||r|| that an output may have.
        atol, rtol: where one is given, |c - r| <= atol + rtol * |r| per element takes the place of `limit`.
        precision: the low precision in which all of the piece works, but for `pinned`.
        pinned: nodes of the piece that stay in FP32.
        candidate: the backend that fails.
        options: how the candidate is built.
        versions: name -> version of what the failure was seen with.
        command: the command line that found it; may be empty.
        anonymised: it was made so that it tells nothing of the model that it comes from.
        choices: by output of the piece that holds indices: what they were chosen from.
        max_size: bytes that the folder may take; what is only handy is left out first. None = any.
    """

    model: Path
    nodes: tuple[str, ...]
    inputs: Mapping[str, Path]
    expected: Mapping[str, Path]
    signature: Signature | None
    limit: float
    precision: Precision = "fp16"
    pinned: tuple[str, ...] = ()
    candidate: str = "emulator"
    options: BuildOptions = field(default_factory=BuildOptions)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    atol: float | None = None
    rtol: float | None = None
    max_size: int | None = None
    anonymised: bool = False
    choices: Mapping[str, ChosenFrom] = field(default_factory=dict)


@dataclass(frozen=True)
class Repro:
    """An exported repro folder. `nodes` is the number of nodes in its model."""

    path: Path
    nodes: int


@dataclass(frozen=True)
class Verification:
    """What a fresh process made of a repro.

    Attributes:
        reproduced: whether it fails as expected, or passes as a unit test has to; None where that could not be
            tested.
        signature: kind of the failure seen; None where there was none.
        output: what the process found, in one sentence without its full stop.
    """

    reproduced: bool | None
    signature: str | None
    output: str


def seen(expected: Signature | None, found: Signature | None) -> Verification:
    """What a run says of a repro that is to fail as `expected`, or to pass (None)."""
    if found is None:
        passes = expected is None
        return Verification(passes, None, "it passes" if passes else "the failure does not show")
    if expected is None:
        return Verification(False, found.kind, f"it should pass, and fails: {found.kind}")
    if same_failure(expected, found):
        return Verification(True, found.kind, f"the failure shows: {found.kind}")
    return Verification(False, found.kind, f"another failure shows: {found.kind}, not {expected.kind}")
