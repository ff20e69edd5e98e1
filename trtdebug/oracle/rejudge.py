"""A verdict by other limits, from the numbers of a comparison that was made before. No arrays here."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.outcome import TensorError
from trtdebug.oracle.indices import CHOICE_RULE
from trtdebug.oracle.rules import (
    EQUAL,
    FloatErrors,
    Ruling,
    integer_atol,
    integer_rule,
    judge_floats,
    judge_integers,
    of_rms_limit,
)
from trtdebug.oracle.tolerance import ELEMENT_RULE, Limits

_NEEDS_TENSORS = "the stored numbers do not decide it, and the candidate's tensor was not kept"
_NOT_NUMERIC = ("missing-output", "shape", "nonfinite")


def rejudge(error: TensorError, limits: Limits, samples: int = 1) -> TensorError:
    """The same numbers under other limits.

    The RMS rule is judged exactly. For the element rule the numbers give bounds: no element is off by more than
    max_abs, and one is. Where they do not decide, the result is untestable and says so.

    Args:
        limits: of all outputs; those of this one are taken.
        samples: of how many samples this is the worst.
    """
    if error.kind in _NOT_NUMERIC or not error.elements or not error.compared:
        return error
    limits = limits.of(error.tensor)
    if error.rule.startswith(EQUAL):
        (status, kind, reason), rule, of_limit = _whole(error, limits, samples), integer_rule(limits), None
    else:
        (status, kind, reason), rule = _float(error, limits, samples), limits.describe()
        of_limit = _of_limit(error, limits)
    return replace(error, status=status, kind=kind, reason=reason, rule=rule, of_limit=of_limit)


def _of_limit(error: TensorError, limits: Limits) -> float | None:
    if limits.elementwise:
        return None
    return of_rms_limit(error.rms_rel, error.max_abs, _scale(error), limits)


def _scale(error: TensorError) -> float:
    return error.max_abs / error.max_rel if error.max_rel else 0.0


def _whole(error: TensorError, limits: Limits, samples: int) -> Ruling:
    if error.max_abs == 0.0:
        return "pass", None, ""
    if error.rule.startswith(CHOICE_RULE) or (samples > 1 and integer_atol(limits) is not None):
        return "untestable", None, _NEEDS_TENSORS
    different = round(error.rms_rel * error.elements)
    return judge_integers(different, error.elements, error.max_abs, limits)


def _float(error: TensorError, limits: Limits, samples: int) -> Ruling:
    scale = _scale(error)
    numbers = FloatErrors(
        elements=error.elements,
        nonfinite=error.nonfinite,
        max_abs=error.max_abs,
        scale=scale,
        rms=error.rms_rel,
        weighed=error.weighed,
        lost=error.lost,
    )
    if not limits.elementwise:
        ruling = judge_floats(numbers, limits)
        # the stored sample is the one of those that failed with the largest RMS error; where an element rule
        # chose them, another sample may have a larger one
        by_element = error.status == "fail" and error.rule.startswith(ELEMENT_RULE)
        unsure = samples > 1 and by_element and ruling[0] == "pass"
        return ("untestable", None, _NEEDS_TENSORS) if unsure else ruling
    atol, rtol = limits.atol or 0.0, limits.rtol or 0.0
    if error.max_abs > atol + rtol * scale:
        reason = f"an element off by {error.max_abs:.3g} breaks {limits.element_rule()}"
        return "fail", "mismatch", reason
    if error.max_abs <= atol and samples == 1:
        return "pass", None, ""
    return "untestable", None, _NEEDS_TENSORS
