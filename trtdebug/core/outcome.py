"""What a trial says: pass, fail (with a signature) or untestable (with the reason). Three values, never two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trtdebug.core.build_error import BuildError

Status = Literal["pass", "fail", "untestable"]
SignatureKind = Literal[
    "nonfinite", "mismatch", "shape", "missing-output", "build-failure", "crash", "timeout", "memory", "disk"
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
        weighed, lost: elements that are not tiny, and those of them that are off by half of their own magnitude
            or more; the RMS rule does not see them beside larger ones (see trtdebug.oracle.rules).
        of_limit: the worst error over what the rule allows there, 1 at the limit; None where the rule gives no such
            number (integers, NaN or Inf, nothing compared), or nobody took it.
        sample: whose error this is, of several samples, as "3 of 4"; empty where there is one.
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
    weighed: int = 0
    lost: int = 0
    of_limit: float | None = None
    sample: str = ""


@dataclass(frozen=True)
class LayerInfo:
    """One layer of a built engine, as read back from it.

    Attributes:
        nodes: ONNX node names that it computes; empty when unknown or inserted by the builder.
        precision: "fp32", "fp16", "bf16", "int8", ...; None when the engine does not tell.
        tactic: hex id or kernel name; None when the engine does not tell.
        type: kind of layer in the builder's own words; empty when the engine does not tell.
        reads, writes: precisions of its inputs and of its outputs, each once; of the floats where there are any.
        at_most: of a block that names no nodes: the ONNX nodes between its inputs and its outputs.
        milliseconds: median time in one inference; None where it was not profiled.
        tactic_id: hex id of the tactic, as in the second half of `BanTactic.tactic`; None where the engine does
            not tell, as of what Myelin compiled.
    """

    name: str
    nodes: tuple[str, ...] = ()
    precision: str | None = None
    tactic: str | None = None
    type: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    at_most: tuple[str, ...] = ()
    milliseconds: float | None = None
    tactic_id: str | None = None


@dataclass(frozen=True)
class OfferedTactic:
    """A tactic that the builder may choose.

    Attributes:
        tactic: as in `BanTactic.tactic`.
        types: data types of what it reads and writes, in the builder's words: "HALF, HALF -> HALF".
        milliseconds: what the builder measured; 0 where it did not yet.
    """

    tactic: str
    types: str = ""
    milliseconds: float = 0.0


@dataclass(frozen=True)
class LayerTactics:
    """The tactics of an engine layer that the builder could choose from.

    Attributes:
        layer: its name, as in `BanTactic.layer`.
        offered: in the builder's order, each once.
        chosen: the one in the engine, as in `BanTactic.tactic`; None where the builder does not say.
    """

    layer: str
    offered: tuple[OfferedTactic, ...]
    chosen: str | None = None


@dataclass(frozen=True)
class EngineInfo:
    """What was built, read back from the engine.

    Attributes:
        device: device name, as the backend gives it.
        honoured: ONNX nodes seen in the engine in the precision that was asked, in all that they read and write.
        refused: ONNX nodes seen in the engine in another precision than asked.
        unverified: ONNX nodes whose precision the engine does not show (inside a ForeignNode, say).
        notes: one line each: what the backend had to skip or relax (OBEY -> PREFER, ...).
        tensors: ONNX tensors that the engine writes to memory between its layers, in the model's order.
        tactics: what the builder offered and chose; only of builds with `BanTactic` or `UseTactic`.
        ignored: of these interventions, those that did not take effect, one line each.
        markable: of builds with `MarkOutputs`: tensors of the network that can be outputs, in its order; empty where
            the backend does not tell.
        unmarked: ONNX tensors that were asked for and cannot be outputs: a shape, a constant, within a loop. They
            are not compared.
    """

    backend: str
    version: str
    device: str = ""
    layers: tuple[LayerInfo, ...] = ()
    refused: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    honoured: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    tactics: tuple[LayerTactics, ...] = ()
    ignored: tuple[str, ...] = ()
    markable: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Result of one trial.

    Attributes:
        tensors: the compared tensors, in the model's order.
        reason: why it failed or could not be tested; empty for a pass.
        node: ONNX node that the builder blames, where it does.
        log_tail: last lines of the worker's log, where something broke.
        build_seconds, run_seconds: wall time of build and of all runs.
        latencies_ms: of a job that times engines: median time of one inference by engine, None where one could
            not be timed.
        uneven: outputs whose rows differ where all rows of the inputs are equal; None where that was not tried.
        trial: hash of the job that it came of; the session fills it in.
        build_errors: what the parser or the builder said; there exactly where the build itself failed.
        metric_faults: what went wrong in metrics of extensions, by metric.
        provisional: it says nothing of the trial, which is done anew when it is asked for again.
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
    latencies_ms: tuple[float | None, ...] = ()
    uneven: tuple[str, ...] | None = None
    trial: str = ""
    build_errors: tuple[BuildError, ...] = ()
    metric_faults: dict[str, str] = field(default_factory=dict)
    provisional: bool = False
