"""What a debug session ends with; report.json is its rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import Signature

Verdict = Literal["matches", "fragile", "diverges", "untestable"]
CulpritKind = Literal["precision", "tactic", "fusion", "build", "unknown"]


@dataclass(frozen=True)
class Culprit:
    """A smallest set of nodes that makes the case fail.

    Attributes:
        evidence: how this is known, in words.
        proven: shown to fail alone. Otherwise the culprit lies somewhere within `nodes`.
    """

    nodes: tuple[str, ...]
    kind: CulpritKind
    evidence: str
    proven: bool = True


@dataclass(frozen=True)
class Divergence:
    """The first tensor, in the model's order, that goes wrong by itself.

    Attributes:
        local_error: relative RMS error of the node alone, fed with the reference's inputs; None = not observed.
        propagated_error: relative RMS error in the whole candidate; None = not observed.
        nonfinite: elements that are NaN or Inf on one side only.
    """

    tensor: str
    node: str | None
    op: str | None
    max_abs: float
    max_rel: float
    nonfinite: int
    local_error: float | None
    propagated_error: float | None


@dataclass(frozen=True)
class Fix:
    """Interventions that were tried as a fix.

    Attributes:
        verified: passes at the user's own build options, on all samples, in all of the builds.
        builds_passed: (passed, tried).
        max_rel_after: largest max_abs / scale of an output with the fix; None if nothing could be compared.
        latency_ratio: latency with the fix over latency without; None if not measured.
        reason: why it is not verified; empty when it is.
        note: what the engine did not show, or had to relax; empty when everything was read back.
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


@dataclass(frozen=True)
class ReproResult:
    """A repro folder. `verified`: it failed in a fresh process with the signature that it names."""

    path: str
    nodes: int
    verified: bool
    note: str = ""


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
        builds, failed_builds: builds as the user does them, and how many of them were wrong.
        rule: the tolerance rule that was used.
        unknown: what the session could not decide, one line each.
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
