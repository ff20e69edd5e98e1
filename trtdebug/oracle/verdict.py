"""From tensors to an outcome: worst of all samples, one signature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from trtdebug.core.outcome import Outcome, Signature, SignatureKind, Status, TensorError

_GRAVITY: tuple[SignatureKind, ...] = ("missing-output", "shape", "nonfinite", "mismatch")

NUMERIC: frozenset[SignatureKind] = frozenset({"nonfinite", "mismatch"})


def worst(errors: Iterable[TensorError]) -> tuple[TensorError, ...]:
    """One error a tensor: the worst of several samples; order of first appearance.

    Its `of_limit` is the largest of all samples, which another one may have.
    """
    kept: dict[str, TensorError] = {}
    for error in errors:
        other = kept.get(error.tensor)
        if other is None:
            kept[error.tensor] = error
            continue
        shares = [e.of_limit for e in (error, other) if e.of_limit is not None]
        worse = error if _badness(error) > _badness(other) else other
        kept[error.tensor] = replace(worse, of_limit=max(shares, default=None))
    return tuple(kept.values())


def largest_share(outcomes: Iterable[Outcome]) -> float | None:
    """The worst error of an output over what its rule allows; None where the rules give no such number."""
    shares = (error.of_limit for outcome in outcomes for error in outcome.tensors)
    return max((share for share in shares if share is not None), default=None)


def judge(errors: Sequence[TensorError]) -> tuple[Status, Signature | None, str]:
    """Status, signature and reason of a trial from its compared outputs.

    Where nothing could be compared (no output, empty ones only, no element that is finite on both sides), the
    outputs say nothing: that is untestable, never a pass.
    """
    if not errors:
        return "untestable", None, "no output to compare"
    failing = [e for e in errors if e.status == "fail"]
    if failing:
        kinds = {e.kind for e in failing}
        kind = next(k for k in _GRAVITY if k in kinds)
        first = next(e for e in failing if e.kind == kind)
        signature = Signature(kind, tuple(e.tensor for e in failing))
        where = f" (sample {first.sample})" if first.sample else ""
        return "fail", signature, f"{first.tensor}: {first.reason}{where}"
    unsure = [e for e in errors if e.status == "untestable"]
    if unsure:
        return "untestable", None, f"{unsure[0].tensor}: {unsure[0].reason}"
    if all(e.compared == 0 for e in errors):
        if all(e.elements == 0 for e in errors):
            return (
                "untestable",
                None,
                "every output is empty (other inputs may fill one: --inputs, --val-range)",
            )
        return "untestable", None, "no output has a finite element on both sides"
    return "pass", None, ""


def same_failure(a: Signature | None, b: Signature | None) -> bool:
    """Whether two failures count as one: wrong numbers and NaN/Inf are two faces of the same failure."""
    if a is None or b is None:
        return False
    return a.kind == b.kind or {a.kind, b.kind} <= NUMERIC


def evidence_on(outcome: Outcome, signature: Signature) -> Status:
    """What an outcome says of a failure: one of another kind says nothing."""
    if outcome.status == "fail" and not same_failure(outcome.signature, signature):
        return "untestable"
    return outcome.status


def rename(errors: Iterable[TensorError], names: dict[str, str]) -> tuple[TensorError, ...]:
    """The same errors under other tensor names."""
    return tuple(replace(e, tensor=names.get(e.tensor, e.tensor)) for e in errors)


def _badness(error: TensorError) -> tuple[int, int, int, float, float, bool]:
    """What counts first: a failure, then what could not be judged; of failures the gravest kind (as in `judge`).

    Of equal ones the sample that had something to compare: an empty one must not stand for it.
    """
    status = ("pass", "untestable", "fail").index(error.status)
    gravity = -_GRAVITY.index(error.kind) if error.kind in _GRAVITY else -len(_GRAVITY)
    return (status, gravity, error.nonfinite, error.rms_rel, error.max_abs, error.compared != 0)
