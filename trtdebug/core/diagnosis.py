"""What a debug session ends with; report.json is its rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trtdebug.core.build_error import BuildError
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import Signature, TensorError

Verdict = Literal["matches", "fragile", "diverges", "untestable"]
CulpritKind = Literal["precision", "tactic", "fusion", "build", "unknown"]


@dataclass(frozen=True)
class Culprit:
    """A smallest set of nodes that makes the case fail.

    Attributes:
        evidence: how this is known, in words.
        proven: shown to fail alone. Otherwise the culprit lies somewhere within `nodes`.
        inside: names of the nodes that hold `nodes` in their bodies or functions, the outermost first; empty for
            nodes of the top-level graph.
        error: of kind "build": what the parser or the builder says of them alone.
        needs: of kind "build": nodes that have to come along to see it, since they compute constants or sizes.
        tensors: of kind "build": tensors that the user marks as outputs, where it is these marks that are not built.
    """

    nodes: tuple[str, ...]
    kind: CulpritKind
    evidence: str
    proven: bool = True
    inside: tuple[str, ...] = ()
    error: BuildError | None = None
    needs: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()

    @property
    def outer(self) -> tuple[str, ...]:
        """The nodes of the top-level graph that it is made of, or is in."""
        return self.inside[:1] or self.nodes


@dataclass(frozen=True)
class Divergence:
    """The first tensor, in the model's order, that goes wrong by itself.

    Attributes:
        max_abs, max_rel: of the node alone where a culprit is known, else in the whole candidate; None = no element
            could be compared.
        local_error: relative RMS error of the node alone, fed with the reference's inputs; None = not observed, or
            no element could be compared.
        propagated_error: relative RMS error in the whole candidate; None as of `local_error`.
        nonfinite: elements that are NaN or Inf on one side only; of the same error as `max_abs`.
    """

    tensor: str
    node: str | None
    op: str | None
    max_abs: float | None
    max_rel: float | None
    nonfinite: int
    local_error: float | None
    propagated_error: float | None


@dataclass(frozen=True)
class Latency:
    """Median milliseconds of one inference, all measured in one process, in turns; None = not known.

    Attributes:
        natural: as the user builds it.
        fixed: with the fix.
        fp32: with the user's options, but all in FP32.
    """

    natural: float | None
    fixed: float | None
    fp32: float | None

    @property
    def ratio(self) -> float | None:
        """Latency with the fix over latency without."""
        return self.fixed / self.natural if self.fixed is not None and self.natural else None


@dataclass(frozen=True)
class Fix:
    """Interventions that were tried as a fix.

    Attributes:
        verified: passes at the user's own build options, on all samples, in all of the builds.
        builds_passed: (passed, tried).
        max_rel_after: largest max_abs / scale of an output with the fix; None if nothing could be compared.
        of_limit: the worst error with the fix over what the rule allows, in all builds and samples; None where a build
            does not pass, or the rule gives no such number.
        latency_ratio: latency with the fix over latency without; None if not measured.
        reason: why it is not verified; empty when it is.
        note: what the engine did not show, or had to relax, and how far a rewritten model equals the model; empty
            where there is nothing to say.
        untestable: it could not be realised, built or compared: whether it would help is not known.
        untested_pins: pinned nodes of which it could not be tested whether the case passes without their pins.
        latency_ms: None where nothing was measured.
        beside: whose proposal it is, where it is tried to be compared with others (see `FixProposal`); else empty.
        built: the candidate built an engine with it, whether that could be run or not.
        layer_flags: trtexec's for its pins, TensorRT 8.6 to 10; empty where no flags do it on the user's own model,
            None where that is not known.
    """

    kind: str
    summary: str
    interventions: tuple[Intervention, ...]
    verified: bool
    builds_passed: tuple[int, int]
    max_rel_after: float | None = None
    latency_ratio: float | None = None
    reason: str = ""
    note: str = ""
    untestable: bool = False
    untested_pins: tuple[str, ...] = ()
    latency_ms: Latency | None = None
    beside: str = ""
    of_limit: float | None = None
    built: bool = False
    layer_flags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ReproResult:
    """A repro folder.

    Attributes:
        verified: it failed in a fresh process with the signature that it names; or passed there, where `passes`.
        passes: it is a unit test of nodes that pass.
        untestable: whether the nodes pass or fail could not be found out, here or in the fresh process.
        standalone: repro.py runs it without trtdebug. Else the candidate is an extension's, and
            `trtdebug repro check` does.
    """

    path: str
    nodes: int
    verified: bool
    note: str = ""
    passes: bool = False
    untestable: bool = False
    standalone: bool = True


@dataclass(frozen=True)
class OutputVerdict:
    """An output of a build of the whole model against the reference.

    Attributes:
        build: "as built 1", "as built 2", ..., "forced".
        sample: of the inputs; "" where only the worst of all samples is known.
        error: untestable with the build's own reason, where the build gave nothing to compare.
    """

    build: str
    sample: str
    error: TensorError


@dataclass(frozen=True)
class ExtensionInfo:
    """An installed extension (distribution) that was loaded."""

    name: str
    version: str


@dataclass(frozen=True)
class PluginProblem:
    """What went wrong in a plugin, one line; `where`: "import", a hook, or a piece of work such as "check x"."""

    where: str
    error: str


@dataclass(frozen=True)
class PluginState:
    """A third party's plugin: "active", "disabled", "failed" or "refused" (it needs another version of the API)."""

    name: str
    distribution: str
    version: str
    state: str
    problems: tuple[PluginProblem, ...] = ()


@dataclass(frozen=True)
class StageTime:
    """What a stage cost: wall seconds and trials (cached ones included)."""

    name: str
    seconds: float
    trials: int


@dataclass(frozen=True)
class BackendInfo:
    """A backend as it was used."""

    backend: str
    version: str
    device: str = ""


@dataclass(frozen=True)
class TrialCounts:
    """Totals of the session."""

    total: int
    builds: int
    cached: int
    untestable: int
    seconds: float


@dataclass(frozen=True)
class Diagnosis:
    """The whole answer.

    Attributes:
        reason: the failure in words; for `untestable`, why nothing could be compared.
        builds, failed_builds, untested_builds: builds as the user does them, how many of them were wrong, and how many
            could not be compared.
        rule: the tolerance rule that was used.
        unknown: what the session could not decide, one line each.
        fix_folder: where what production needs for the verified fix was written; None = nowhere.
        outputs: every output of every build that the verdict is made of, sample by sample.
        trtdebug: version of trtdebug itself; empty where it is not known.
    """

    verdict: Verdict
    signature: Signature | None
    reason: str
    rule: str
    reference: BackendInfo
    candidate: BackendInfo
    builds: int
    failed_builds: int
    first_divergence: Divergence | None = None
    culprits: tuple[Culprit, ...] = ()
    fixes: tuple[Fix, ...] = ()
    repro: ReproResult | None = None
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    stages: tuple[StageTime, ...] = ()
    trials: TrialCounts = TrialCounts(0, 0, 0, 0, 0.0)
    fix_folder: str | None = None
    outputs: tuple[OutputVerdict, ...] = ()
    trtdebug: str = ""
    untested_builds: int = 0
    extensions: tuple[ExtensionInfo, ...] = ()
    plugins: tuple[PluginState, ...] = ()
