"""What hooks return: one frozen dataclass an extension point. This module is the public API for extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.case import Case
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.finding import Finding, Severity
from trtdebug.core.intervention import (
    BanTactic,
    BreakFusion,
    ForcePrecision,
    Intervention,
    Knob,
    MarkOutputs,
    PinPrecision,
    ReplaceGraph,
    UseTactic,
)
from trtdebug.core.outcome import Outcome, Signature, Status
from trtdebug.plugins.api import API

if TYPE_CHECKING:
    import onnx

    from trtdebug.graph.index import GraphIndex

Tensor = NDArray[np.generic]
Sample = Mapping[str, Tensor]


@dataclass(frozen=True)
class CheckContext:
    """What a check may look at.

    Attributes:
        path: the model file.
        model: the loaded model, nodes named, weights in. Not to be changed.
        index: producers, consumers, order.
        precision: the lowest float precision the user builds with: "fp32", "fp16", "bf16", "int8".
        sample: the first input sample, None when there is none yet.
        reference: `reference(names)` gives these tensors (ONNX names) of the reference for `sample`, FP32 or
            integer arrays; None where no reference can run.
        case: the case, None for a static check of a model (`trtdebug check`).
        plugins: libraries of TensorRT plugins that the user builds with.
    """

    path: Path
    model: onnx.ModelProto
    index: GraphIndex
    precision: str = "fp32"
    sample: Sample | None = None
    reference: Callable[[Iterable[str]], Mapping[str, Tensor]] | None = None
    case: Case | None = None
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A check: reads, and reports findings.

    Attributes:
        name: unique id, kebab case.
        summary: one line for lists.
        run: yields findings; changes nothing.
        seconds: that `run` may take by itself, without what it asks of the reference; None = as hooks may.
    """

    name: str
    summary: str
    run: Callable[[CheckContext], Iterable[Finding]]
    seconds: float | None = None


@dataclass(frozen=True)
class FixContext:
    """What a fix proposer may look at.

    Attributes:
        culprits: sets of ONNX node names, each of which makes the case fail.
        pins: the smallest set of nodes known to make the case pass when all of it works in FP32; None where
            the search found none.
        findings: what the checks reported.
        realises: class names of the interventions that the candidate can realise.
        knobs, marks, bans: global switches, marked tensors (ONNX names) and tactics that the search saw to cure
            the case; empty where there are none.
        keep_model: saves a rewritten model in the session, and gives the intervention that builds it instead;
            before the candidate builds it, the reference has to give the same outputs for it.
        unbuildable: where `signature.kind` is "build-failure": the pieces that the candidate does not build, with what
            it says of each (`error`), the nodes that hold them (`inside`) and whether that was shown (`proven`).
        samples: reads the case's input samples, one after the other.
    """

    case: Case
    model: onnx.ModelProto
    index: GraphIndex
    signature: Signature
    culprits: tuple[tuple[str, ...], ...]
    pins: tuple[str, ...] | None
    findings: tuple[Finding, ...] = ()
    realises: frozenset[str] = frozenset()
    knobs: tuple[Knob, ...] = ()
    marks: tuple[str, ...] = ()
    bans: tuple[BanTactic, ...] = ()
    keep_model: Callable[[onnx.ModelProto], ReplaceGraph] | None = None
    unbuildable: tuple[Culprit, ...] = ()
    samples: Callable[[], Iterable[Sample]] = tuple


@dataclass(frozen=True)
class FixProposal:
    """A fix to be tried.

    Attributes:
        kind: family of the fix: "pin", "rewrite", "knob", "tactic", ...
        summary: one line, as it will stand in the report.
        interventions: what to change in the candidate's build.
        cost: proposals are tried from the cheapest to the dearest; for pins the number of pinned nodes.
        beside: whose proposal it is ("AutoCast"), where it is tried even if another one holds, so that both can be
            compared. Of those of one name the first that holds ends the list. It is the fix to take only where none
            but such proposals hold.
        rounds: a rewritten model has its low precision written into it, so that the reference gives the same only
            within the case's tolerance.
        obstacle: why it cannot be tried, for the report; empty where it can.
    """

    kind: str
    summary: str
    interventions: tuple[Intervention, ...]
    cost: float = 1.0
    beside: str = ""
    rounds: bool = False
    obstacle: str = ""


@dataclass(frozen=True)
class FixProposer:
    """Proposes fixes for a diagnosis. Proposals are verified before anybody is told of them.

    Attributes:
        seconds: that `propose` may take by itself; None = as hooks may.
    """

    name: str
    summary: str
    propose: Callable[[FixContext], Iterable[FixProposal]]
    seconds: float | None = None


@dataclass(frozen=True)
class Metric:
    """A number per tensor, shown beside the built-in ones; never part of the verdict.

    Attributes:
        compute: `compute(reference, candidate)`, float arrays of equal shape, finite or not -> float.
    """

    name: str
    summary: str
    compute: Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class InputSource:
    """Reads input samples from a file or folder given to --inputs.

    Attributes:
        matches: whether this path is of this kind.
        load: the samples, one mapping of input name to array each. Raises `UserError` on a bad file.
    """

    name: str
    summary: str
    matches: Callable[[Path], bool]
    load: Callable[[Path], list[dict[str, Tensor]]]


@dataclass(frozen=True)
class ReportFormat:
    """Writes the report in a format.

    Attributes:
        filename: name of the file in the session folder.
        render: from report.json's content (schema 1) to the file's text.
        with_session: the same from report.json's content and the session's folder, for a format that shows more
            than report.json holds; None = `render` has all that it needs.
    """

    name: str
    summary: str
    filename: str
    render: Callable[[Mapping[str, Any]], str]
    with_session: Callable[[Mapping[str, Any], Path], str] | None = None

    def text(self, report: Mapping[str, Any], session: Path) -> str:
        """The file's text for a session in this folder."""
        return self.render(report) if self.with_session is None else self.with_session(report, session)


class LocaliserTest(Protocol):
    """What a localiser asks: does the case fail when exactly these nodes work in low precision?

    Attributes:
        told: all verdicts so far, also those of localisers that were asked before.
        workers: how many tests run at once; ask `many` so many of them, where the search has them.
    """

    @property
    def told(self) -> Sequence[tuple[frozenset[str], Status]]: ...

    @property
    def workers(self) -> int: ...

    def __call__(self, low: frozenset[str], again: int = 0) -> Status:
        """Returns "pass", "fail" or "untestable"; `again` > 0: of the so-manieth fresh build of the same."""
        ...

    def many(self, lows: Sequence[frozenset[str]], again: Sequence[int] | None = None) -> list[Status]:
        """The same for several sets at once, in their order; `again`: one number a set, None = all 0."""
        ...


@dataclass(frozen=True)
class Localisation:
    """A localiser's answer.

    Attributes:
        culprits: smallest failing sets of node names.
        protect: with these nodes in FP32 all others together pass in low precision (tested); None if unknown.
        exact: every set was shown to fail alone, and everything outside their union to pass.
        unresolved: nodes that could not be decided; a culprit may hide there.
        note: why it is not exact.
    """

    culprits: tuple[tuple[str, ...], ...]
    protect: tuple[str, ...] | None
    exact: bool
    unresolved: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Localizer:
    """A search strategy.

    Attributes:
        run: `run(nodes, test, weights)`: nodes in topological order, prior weights (>= 0) of the same length.
    """

    name: str
    summary: str
    run: Callable[[tuple[str, ...], LocaliserTest, tuple[float, ...]], Localisation]


class Executor(Protocol):
    """Runs jobs; see trtdebug.session.job."""

    def run(self, job: Any) -> Outcome: ...

    def close(self) -> None: ...


@runtime_checkable
class Parallel(Protocol):
    """An executor that runs several jobs at once.

    Attributes:
        workers: how many; it is never given more at a time.
    """

    @property
    def workers(self) -> int: ...

    def submit(self, job: Any) -> Future[Outcome]:
        """Begins with a job, and returns at once. Raises `UserError` where it can run none."""
        ...


@runtime_checkable
class Startable(Protocol):
    """An executor that can get ready before its first job."""

    def start(self, reference: str, candidate: str) -> None:
        """Starts what these backends need, and returns at once."""
        ...


@dataclass(frozen=True)
class ExecutorFactory:
    """Makes an executor.

    Attributes:
        create: `create(folder, timeout, environment)`: the session's folder, seconds a trial may take, and
            environment variables for processes that load plugins: which ones are left out, and what the user set of
            TRTDEBUG_WORKER_MEMORY (bytes of host memory that a worker may hold), TRTDEBUG_WORKERS (how many trials
            to run at once) and TRTDEBUG_GPUS ("0,1" or "all": one worker a GPU).
    """

    name: str
    summary: str
    create: Callable[[Path, float, Mapping[str, str]], Executor]


@dataclass(frozen=True)
class ValueType:
    """Type of a tensor.

    Attributes:
        dtype: numpy's name, such as "float32".
        shape: None for a dimension that is not known; None in place of all where not even the rank is.
    """

    dtype: str
    shape: tuple[int | None, ...] | None = None


@dataclass(frozen=True)
class Operator:
    """What a custom operator computes, for backends that have no plugin of it (onnxruntime, the emulator).

    Attributes:
        op: the nodes' type; `domain`: their domain, "" for ONNX's own.
        compute: `compute(*inputs, **attributes)` gives an array, or a tuple of them where the node has several outputs.
            Inputs are numpy arrays that must not be written to, None for one that is left out; attributes are numbers,
            strings, lists of them, or arrays. `plugin_version` and `plugin_namespace` are for TensorRT's parser only,
            and left out. It is called at the top level of the graph, not in bodies of If, Loop and Scan.
        infer: `infer(*input types)` gives the outputs' types, where they are known ahead; what `compute` gives is
            held against them.
        body: the same as an ONNX function, which onnxruntime computes; works in bodies, too, and a fix may put it in
            the place of the operator. One of `compute` and `body` is enough; `compute` goes first.
        seconds: a call that takes longer is broken off, where Python can do that.
    """

    op: str
    domain: str = ""
    compute: Callable[..., Any] | None = None
    infer: Callable[..., Sequence[ValueType]] | None = None
    body: onnx.FunctionProto | None = None
    seconds: float = 120.0

    @property
    def name(self) -> str:
        """Unique: "domain::op", or "op" alone for ONNX's own domain."""
        return f"{self.domain}::{self.op}" if self.domain else self.op


@dataclass(frozen=True)
class TrialEvent:
    """Told to `trtdebug_trial_finished`: `trial` is the hash that names it."""

    trial: str
    outcome: Outcome
    cached: bool


@dataclass(frozen=True)
class SessionEvent:
    """Told to `trtdebug_session_finished`."""

    session: Path
    report: Mapping[str, Any] = field(default_factory=dict)


__all__ = [
    "API",
    "BanTactic",
    "BreakFusion",
    "Check",
    "CheckContext",
    "Executor",
    "ExecutorFactory",
    "Finding",
    "FixContext",
    "FixProposal",
    "FixProposer",
    "ForcePrecision",
    "InputSource",
    "Intervention",
    "Knob",
    "Localisation",
    "LocaliserTest",
    "Localizer",
    "MarkOutputs",
    "Metric",
    "Operator",
    "Parallel",
    "PinPrecision",
    "ReplaceGraph",
    "ReportFormat",
    "Sample",
    "SessionEvent",
    "Severity",
    "Startable",
    "Tensor",
    "TrialEvent",
    "UseTactic",
    "ValueType",
]
