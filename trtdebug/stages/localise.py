"""Localise: the smallest failing sets (causes) and the smallest passing pin set (fix)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.errors import TrtdebugError
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.oracle.verdict import same_failure
from trtdebug.plugins.types import Localisation
from trtdebug.search.types import Verdict
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.observe import LocalError, Observation
from trtdebug.stages.substitute import substitute

LOCALIZER = "leftmost"
_BASE_WEIGHT = 1e-6
_ROUNDING = {"fp16": 8 * 2.0**-11, "bf16": 8 * 2.0**-8}
"""Relative RMS errors up to this are what a healthy kernel makes: eight times the unit roundoff."""


@dataclass(frozen=True)
class Located:
    """The answer of the search.

    Attributes:
        pins: nodes that have to work in FP32, None where no such set was found.
        unknown: what could not be decided, one line each.
    """

    culprits: tuple[Culprit, ...]
    pins: tuple[str, ...] | None
    unknown: tuple[str, ...] = ()


def localise(ctx: Context, signature: Signature, observation: Observation, fast: bool) -> Located:
    """Searches over the nodes in low precision, with the observation as evidence and prior."""
    judged = {s.node: (s, _evidence(substitute(ctx, s), signature)) for s in observation.suspects}
    evidence = {node: _words(suspect) for node, (suspect, verdict) in judged.items() if verdict == "fail"}
    unjudged = sum(verdict == "untestable" for _, verdict in judged.values())
    test = _Test(ctx, signature, fast, tuple(evidence))
    weights = tuple(_weight(ctx, observation.local.get(name), name in evidence) for name in ctx.items)
    found = ctx.plugins.collect("localizers")
    chosen = next(f for f in found if f.value.name == LOCALIZER)
    answer: Localisation | None = None
    with ctx.plugins.guard(chosen.provider, f"localizer {LOCALIZER}", allow=(TrtdebugError,)):
        answer = chosen.value.run(ctx.items, test, weights)
    if answer is None:
        return Located((), None, (f"the localizer {LOCALIZER} broke; see `trtdebug ext list`",))
    located = _located(ctx, answer, evidence)
    if _is_drift(ctx, located, observation):
        located = _drifting(ctx, located, observation)
    if unjudged:
        line = f"of {unjudged} suspects it could not be seen by substitution whether they matter"
        located = replace(located, unknown=(*located.unknown, line))
    return located


def _weight(ctx: Context, local: LocalError | None, convicted: bool) -> float:
    """Prior: near 1 for a node shown to matter, else how far its own error is up the tolerance."""
    if convicted:
        return 0.99
    if local is None:
        return _BASE_WEIGHT
    if local.error.nonfinite:
        return 0.1
    return _BASE_WEIGHT + 0.01 * min(local.error.rms_rel / ctx.limits.rms, 1.0)


class _Test:
    """The question that localisers ask, as a trial: does the case fail when exactly these nodes are low?

    What is known already costs no trial: a set that holds a node which was shown to fail alone fails, too.
    """

    def __init__(self, ctx: Context, signature: Signature, fast: bool, convicted: tuple[str, ...]) -> None:
        self.ctx, self.signature, self.fast = ctx, signature, fast
        self.convicted = frozenset(convicted)
        self.healthy: set[str] = set()

    def __call__(self, low: frozenset[str]) -> Verdict:
        if not low:
            return "pass"
        if low & self.convicted or len(low) == len(self.ctx.items):
            return "fail"
        self._tell_progress()
        nodes = [n for n in self.ctx.items if n in low]
        purpose = f"{len(nodes)} of {len(self.ctx.items)} nodes in {self.ctx.low}"
        job = self.ctx.candidate_job(purpose, self.ctx.exposing(nodes), fast=self.fast)
        verdict = _evidence(self.ctx.session.run(job), self.signature)
        if verdict == "pass":
            self.healthy |= low
        return verdict

    def _tell_progress(self) -> None:
        left = len(self.ctx.items) - len(self.healthy | self.convicted)
        message = f"{len(self.convicted)} culprits known" if self.convicted else ""
        trials = 1 if self.convicted else left.bit_length() + 1
        self.ctx.report_progress(Progress("localise", message, left, len(self.ctx.items), trials))


def _evidence(outcome: Outcome, signature: Signature) -> Verdict:
    """A failure of another kind than the case's says nothing about the case."""
    if outcome.status == "fail" and not same_failure(outcome.signature, signature):
        return "untestable"
    return outcome.status


def _located(ctx: Context, answer: Localisation, evidence: dict[str, str]) -> Located:
    ordered = sorted(answer.culprits, key=lambda nodes: ctx.items.index(nodes[0]))
    culprits = tuple(Culprit(nodes, "precision", _known_by(nodes, evidence)) for nodes in ordered)
    unknown: tuple[str, ...] = (answer.note,) if answer.note else ()
    if answer.unresolved:
        culprits += (Culprit(answer.unresolved, "precision", answer.note or "not told apart", proven=False),)
        unknown += (f"{len(answer.unresolved)} nodes could not be told apart",)
    useful = answer.protect is not None and len(answer.protect) < len(ctx.items)
    if answer.protect and not useful:
        unknown += ("no set of pins smaller than the whole model is known to help: build in FP32",)
    return Located(culprits, answer.protect if useful else None, unknown)


def _is_drift(ctx: Context, located: Located, observation: Observation) -> bool:
    """Whether no culprit does more by itself than the precision rounds; what was not observed is no drift."""
    errors = [observation.local[n].error for n in _nodes(located) if n in observation.local]
    unseen = [n for n in _nodes(located) if n not in observation.local]
    rounding = _ROUNDING[ctx.low or "fp16"]
    return bool(errors) and not unseen and all(not e.nonfinite and e.rms_rel <= rounding for e in errors)


def _drifting(ctx: Context, located: Located, observation: Observation) -> Located:
    """Nodes that only round are no cause: said as what is not known."""
    nodes = tuple(n for n in ctx.items if n in set(_nodes(located)))
    largest = max(observation.local[n].error.rms_rel for n in nodes)
    evidence = (
        f"each only rounds (own relative RMS error at most {largest:.2g}): the tolerance is tighter than {ctx.low} "
        "keeps, or rounding adds up along the way"
    )
    line = f"no node is at fault by itself: {len(nodes)} nodes round as {ctx.low} does, and that breaks the tolerance"
    return Located(
        (Culprit(nodes, "precision", evidence, proven=False),), located.pins, (*located.unknown, line)
    )


def _nodes(located: Located) -> tuple[str, ...]:
    return tuple(n for c in located.culprits for n in c.nodes)


def _known_by(names: tuple[str, ...], evidence: dict[str, str]) -> str:
    if len(names) == 1 and names[0] in evidence:
        return evidence[names[0]]
    alone = "alone" if len(names) == 1 else "only together"
    return f"the case fails with {'this node' if len(names) == 1 else 'these nodes'} {alone} in low precision"


def _words(suspect: LocalError) -> str:
    error = suspect.error
    what = (
        f"{error.nonfinite} of {error.elements} elements become Inf or NaN"
        if error.nonfinite
        else error.reason
    )
    return f"fed with the reference's inputs: {what}; put into the reference, its output alone makes the case fail"
