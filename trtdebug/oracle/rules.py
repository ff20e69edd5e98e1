"""The rules: from what one pass over a pair of tensors gives to a verdict. No arrays here."""

from __future__ import annotations

from dataclasses import dataclass

from trtdebug.core.outcome import SignatureKind, Status
from trtdebug.oracle.tolerance import NEGLIGIBLE, Limits

LOST = 0.5
"""An element is lost when its own error is at least this fraction of its own magnitude."""

LOST_FLOOR = 2.0**-14
"""Smaller elements are never called lost: below its smallest normal number FP16 has no digits to keep."""

HIDDEN = 0.25
"""From this share of lost elements on, a relative RMS error within the limit is borderline."""

FEW = 8
"""Fewer lost elements mean nothing."""

EQUAL = "equal"
"""How the rules for integers, bools and indices start, in words."""

Ruling = tuple[Status, "SignatureKind | None", str]
"""Status, kind of failure, reason; for a pass the last two are None and empty."""

PASS: Ruling = ("pass", None, "")


@dataclass(frozen=True)
class FloatErrors:
    """What one pass over two float tensors of one shape gives.

    Attributes:
        elements: all elements.
        nonfinite: elements that are NaN or Inf on one side and not the same on the other.
        max_abs: max |c - r| over elements finite on both sides.
        scale: max |r| over the same.
        rms: ||c - r|| / ||r|| over the same; Inf where only ||r|| is 0.
        over: elements that break |c - r| <= atol + rtol * |r|; 0 where there is no such rule.
        weighed: elements finite on both sides with |r| >= LOST_FLOOR.
        lost: those of `weighed` with |c - r| >= LOST * |r|.
    """

    elements: int
    nonfinite: int
    max_abs: float
    scale: float
    rms: float
    over: int = 0
    weighed: int = 0
    lost: int = 0


def judge_floats(errors: FloatErrors, limits: Limits) -> Ruling:
    """In this order: NaN/Inf pattern, tolerance, what the reference's own rounding explains, borderline."""
    e = errors
    if e.nonfinite:
        return "fail", "nonfinite", f"{e.nonfinite} of {e.elements} elements are NaN or Inf on one side only"
    if limits.elementwise:
        if e.over:
            return "fail", "mismatch", f"{e.over} of {e.elements} elements break {limits.element_rule()}"
        return PASS
    if exceeds(e.rms, e.max_abs, e.scale, limits.rms):
        return _beyond(e.rms, limits)
    if e.lost >= FEW and e.lost >= HIDDEN * e.weighed:
        return "untestable", None, hidden(e.lost, e.weighed)
    return PASS


def exceeds(rms: float, max_abs: float, scale: float, limit: float) -> bool:
    """Whether the RMS rule is broken: beyond the limit, and more than a negligible part of the scale."""
    return rms > limit and max_abs > NEGLIGIBLE * (scale or 1.0)


def of_rms_limit(rms: float, max_abs: float, scale: float, limits: Limits) -> float | None:
    """The error over what the RMS rule allows: 1 at the limit. None where it allows nothing."""
    allowed = limits.widest_rms
    return min(rms / allowed, max_abs / (NEGLIGIBLE * (scale or 1.0))) if allowed else None


def _beyond(rms: float, limits: Limits) -> Ruling:
    """Over the limit: rounding as far as the reference's own goes, where that leaves digits to compare."""
    if rms > limits.rounding:
        return "fail", "mismatch", f"relative RMS error {rms:.3g} breaks {limits.rms_rule()}"
    if limits.trusts_rounding:
        return PASS
    reason = (
        f"relative RMS error {rms:.3g} is over {limits.rms:g}, but the reference's own rounding may be as large "
        f"({limits.rounding:.3g}): it has no digits to compare with"
    )
    return "untestable", None, reason


def hidden(lost: int, weighed: int) -> str:
    """The borderline of the RMS rule in words: a few large elements outweigh many wrong ones."""
    return (
        f"the relative RMS error is within the limit, but {lost} of {weighed} elements are off by half of "
        "themselves or more: a few large elements outweigh them; give --rtol and --atol for a rule by element"
    )


def judge_integers(different: int, elements: int, largest_gap: float, limits: Limits) -> Ruling:
    """Integers and bools have to be equal, unless a tolerance was given for this very output.

    Args:
        different: elements that differ.
        largest_gap: max |c - r|.
    """
    atol = integer_atol(limits)
    if not different or (atol is not None and largest_gap <= atol):
        return PASS
    return "fail", "mismatch", f"{different} of {elements} elements differ"


def integer_atol(limits: Limits) -> float | None:
    """How far integers of this output may differ; None unless that was said of it by name."""
    return limits.atol if limits.own else None


def integer_rule(limits: Limits) -> str:
    """The rule for integers and bools in words."""
    atol = integer_atol(limits)
    return EQUAL if atol is None else f"{EQUAL} within {atol:g}"
