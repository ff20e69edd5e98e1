"""What two sessions say differently: two versions of TensorRT, say, or two exports of a model."""

from __future__ import annotations

from dataclasses import dataclass

from trtdebug.core.errors import UserError
from trtdebug.core.outcome import EngineInfo, TensorError
from trtdebug.report.blamed import blamed
from trtdebug.report.session_facts import PURPOSES, SessionFacts
from trtdebug.stages.engines.diff import EngineDiff, diff_engines
from trtdebug.stages.engines.recorded import recorded_engine

_NOT_KNOWN = "not known"
_ALIKE = 2.0
"""Errors within this factor of each other are no change: builders have their moods."""


@dataclass(frozen=True)
class Change:
    """A fact that both sides tell otherwise."""

    what: str
    first: str
    second: str


@dataclass(frozen=True)
class ErrorChange:
    """A tensor whose errors differ in the trials of one purpose; None where a side does not have it.

    Attributes:
        grew: how many times larger the second one is; inf, or 0, where one side has NaN, Inf or no error.
    """

    purpose: str
    tensor: str
    first: TensorError | None
    second: TensorError | None
    grew: float


@dataclass(frozen=True)
class SessionDiff:
    """What differs.

    Attributes:
        changes: of model, inputs, options, candidate, verdict, signature, builds and fixes.
        errors: those that changed most first.
        same_errors: tensors whose errors are alike.
        gone, come: sets of nodes, or of marks, at fault that only the first, and only the second session names; empty
            where one of them does not come to say: then that is among `changes`.
        stayed: those that both name.
        engine: layers of the first builds as the user makes them; None where a session has no such record.
    """

    changes: tuple[Change, ...]
    errors: tuple[ErrorChange, ...]
    same_errors: int
    gone: tuple[tuple[str, ...], ...]
    come: tuple[tuple[str, ...], ...]
    stayed: tuple[tuple[str, ...], ...]
    engine: EngineDiff | None

    @property
    def verdict_changed(self) -> bool:
        return any(change.what == "verdict" for change in self.changes)


def diff_sessions(first: SessionFacts, second: SessionFacts) -> SessionDiff:
    """Compares what two sessions found."""
    ours, theirs = _facts(first), _facts(second)
    changes = tuple(Change(k, ours[k], theirs[k]) for k in ours if ours[k] != theirs[k])
    errors, same = _errors(first, second)
    before, after = (_culprits(f) if _is_told(f) else None for f in (first, second))
    if before != after and (before is None or after is None):
        changes += (Change("culprits", _listed(before), _listed(after)),)
        before = after = None
    before, after = before or (), after or ()
    return SessionDiff(
        changes=changes,
        errors=errors,
        same_errors=same,
        gone=tuple(c for c in before if c not in after),
        come=tuple(c for c in after if c not in before),
        stayed=tuple(c for c in before if c in after),
        engine=_engines(first, second),
    )


def _facts(facts: SessionFacts) -> dict[str, str]:
    case, report = facts.case, facts.report or {}
    options = case.options.placeless
    signature, flaky = report.get("signature"), report.get("flaky")
    fixes = [f["summary"] for f in report.get("fixes", []) if f["verified"]]
    none = "none" if _is_told(facts) else _NOT_KNOWN
    return {
        "model": f"{case.sha256[:12]} ({case.nodes} nodes)",
        "inputs": f"{case.inputs_sha256[:12]} ({len(case.samples)} samples)",
        "precision": options.precision,
        "options": str(options),
        "tolerance": str(case.tolerance),
        "reference": case.reference,
        "candidate": f"{case.candidate} {facts.version}".strip(),
        "verdict": facts.verdict or "none yet",
        "failure": signature["kind"] if signature else none,
        "failing outputs": ", ".join(signature["outputs"]) if signature else none,
        "wrong builds": f"{flaky['failed']} of {flaky['builds']}" if flaky else _NOT_KNOWN,
        "fix": "; ".join(fixes) or none,
    }


def _is_told(facts: SessionFacts) -> bool:
    """Whether the session came to say what is at fault, if anything is: not cut off, and not without any answer."""
    return facts.report is not None and (facts.verdict != "untestable" or bool(_culprits(facts)))


def _errors(first: SessionFacts, second: SessionFacts) -> tuple[tuple[ErrorChange, ...], int]:
    changed, same = [], 0
    for purpose in PURPOSES:
        ours, theirs = first.errors(purpose), second.errors(purpose)
        if not ours or not theirs:  # it was not asked on one side
            continue
        for tensor in dict.fromkeys((*ours, *theirs)):
            found = _change(purpose, tensor, ours.get(tensor), theirs.get(tensor))
            changed += [found] if found is not None else []
            same += found is None
    return tuple(sorted(changed, key=_weight, reverse=True)), same


def _change(
    purpose: str, tensor: str, first: TensorError | None, second: TensorError | None
) -> ErrorChange | None:
    if first is None or second is None:
        return ErrorChange(purpose, tensor, first, second, 1.0)
    before, after = _size(first), _size(second)
    grew = after / before if before else (float("inf") if after else 1.0)
    grew = 1.0 if before == after else grew
    alike = 1 / _ALIKE <= grew <= _ALIKE and first.status == second.status
    return None if alike else ErrorChange(purpose, tensor, first, second, grew)


def _size(error: TensorError) -> float:
    return float("inf") if error.nonfinite or error.kind not in (None, "mismatch") else error.rms_rel


def _weight(change: ErrorChange) -> tuple[bool, float]:
    """A verdict that changed counts most."""
    other = change.first is None or change.second is None or change.first.status != change.second.status
    return other, max(change.grew, 1 / change.grew if change.grew else float("inf"))


def _culprits(facts: SessionFacts) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(blamed(c)) for c in (facts.report or {}).get("culprits", []))


def _listed(culprits: tuple[tuple[str, ...], ...] | None) -> str:
    if culprits is None:
        return _NOT_KNOWN
    return "; ".join(", ".join(nodes) for nodes in culprits) or "none"


def _engines(first: SessionFacts, second: SessionFacts) -> EngineDiff | None:
    engines: list[EngineInfo] = []
    for facts in (first, second):
        try:
            engines.append(recorded_engine(facts.folder))
        except UserError:  # no build as the user makes it, or none that tells of its layers
            return None
    return diff_engines(engines[0].layers, engines[1].layers) if all(e.layers for e in engines) else None
