"""What a trial says: pass, fail (with a signature) or untestable (with the reason). Three values, never two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["pass", "fail", "untestable"]
SignatureKind = Literal[
    "nonfinite", "mismatch", "shape", "missing-output", "build-failure", "crash", "timeout"
]


@dataclass(frozen=True)
class Signature:
    """The kind of a failure and the outputs that show it (model order)."""

    kind: SignatureKind
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorError:
    """One tensor of the candidate against the reference.

    Attributes:
        max_abs: max |c - r| over the elements where both are finite.
        max_rel: max_abs / max |r|; 0 for equal tensors.
        rms_rel: ||c - r|| / ||r|| (2-norms over elements where both are finite).
        nonfinite: number of elements that are NaN or Inf on one side and not the same on the other.
        status: verdict by the rule named in `rule`: pass, fail, or untestable where it can't be judged.
        reason: the failing rule in words; empty for a pass.
        compared: number of elements whose values could be compared: of floats those finite on both sides;
            None where nobody counted.
    """

    tensor: str
    status: Status
    max_abs: float = 0.0
    max_rel: float = 0.0
    rms_rel: float = 0.0
    nonfinite: int = 0
    elements: int = 0
    kind: SignatureKind | None = None
    rule: str = ""
    reason: str = ""
    extra: dict[str, float] = field(default_factory=dict)
    compared: int | None = None


@dataclass(frozen=True)
class LayerInfo:
    """One layer of a built engine, as read back from it.

    Attributes:
        nodes: ONNX node names that it computes; empty when unknown or inserted by the builder.
        precision: "fp32", "fp16", "bf16", "int8", ...; None when the engine does not tell.
        tactic: hex id or kernel name; None when the engine does not tell.
    """

    name: str
    nodes: tuple[str, ...] = ()
    precision: str | None = None
    tactic: str | None = None


@dataclass(frozen=True)
class EngineInfo:
    """What was built, read back from the engine.

    Attributes:
        device: device name, as the backend gives it.
        refused: ONNX nodes seen in the engine in another precision than asked.
        unverified: ONNX nodes whose precision the engine does not show (inside a ForeignNode, say).
        notes: one line each: what the backend had to skip or relax (OBEY -> PREFER, ...).
    """

    backend: str
    version: str
    device: str = ""
    layers: tuple[LayerInfo, ...] = ()
    refused: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Result of one trial.

    Attributes:
        tensors: the compared tensors, in the model's order.
        reason: why it failed or could not be tested; empty for a pass.
        node: ONNX node that the builder blames, where it does.
        log_tail: last lines of the worker's log, where something broke.
        build_seconds, run_seconds: wall time of build and of all runs.
        latency_ms: median time of one inference over repeated runs of the first sample, None if not measured.
    """

    status: Status
    signature: Signature | None = None
    reason: str = ""
    tensors: tuple[TensorError, ...] = ()
    engine: EngineInfo | None = None
    node: str | None = None
    log_tail: str = ""
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    latency_ms: float | None = None
