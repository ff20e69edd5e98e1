"""Compares one tensor of the candidate with the reference's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trtdebug.core.outcome import SignatureKind, TensorError
from trtdebug.oracle.blocks import Tensor, map_blocks
from trtdebug.oracle.rules import FloatErrors, integer_rule, judge_floats, judge_integers, of_rms_limit
from trtdebug.oracle.sums import ElementRule, Sums, sums
from trtdebug.oracle.tolerance import Limits

NUMBERS = ("mean_abs", "mean_rel", "max_element_rel", "cosine", "sqnr_db")
"""Names in `TensorError.extra` that no metric of an extension may have."""


def compare(name: str, reference: Tensor | None, candidate: Tensor | None, limits: Limits) -> TensorError:
    """Errors and verdict of one tensor.

    In this order: missing on a side, shape, NaN/Inf pattern, tolerance. Integers of different width count as
    equal when their values are; integers and bools must be equal exactly, there is no tolerance for them.

    Args:
        reference, candidate: arrays of any shape and dtype; None = the side has no such tensor.
        limits: see trtdebug.oracle.tolerance; those of this output are taken. The rules: trtdebug.oracle.rules.

    One pass in blocks (see trtdebug.oracle.blocks): neither tensor is copied. Of floats, `extra` has the mean of
    |c - r|, mean and maximum of |c - r| / |r| where r is not 0, cosine and SQNR (see trtdebug.oracle.sums).
    """
    limits = limits.of(name)
    if reference is None or candidate is None:
        side = "reference" if reference is None else "candidate"
        return _fail(name, "missing-output", f"the {side} has no such output")
    if reference.shape != candidate.shape:
        return _fail(name, "shape", f"shape {list(candidate.shape)}, expected {list(reference.shape)}")
    if reference.size == 0:
        return TensorError(name, "pass", rule="empty", compared=0)
    if is_float(reference) and is_float(candidate):
        return _floats(name, reference, candidate, limits)
    if is_float(reference) != is_float(candidate):
        return _fail(name, "mismatch", f"dtype {candidate.dtype}, expected {reference.dtype}")
    return _exact(name, reference, candidate, limits)


def is_float(tensor: Tensor) -> bool:
    """Whether the dtype is a float, the narrow ones of ml_dtypes (bfloat16, float8_*) included."""
    return tensor.dtype.kind == "f" or tensor.dtype.name.startswith(("bfloat", "float"))


def _fail(name: str, kind: SignatureKind, reason: str) -> TensorError:
    inf = float("inf")
    return TensorError(name, "fail", max_abs=inf, max_rel=inf, rms_rel=inf, kind=kind, reason=reason)


def _exact(name: str, reference: Tensor, candidate: Tensor, limits: Limits) -> TensorError:
    blocks = map_blocks(_exact_block, reference, candidate)
    different = sum(b.different for b in blocks)
    if not different:
        return TensorError(name, "pass", elements=reference.size, rule="equal", compared=reference.size)
    worst, scale = max(b.gap for b in blocks), max(b.scale for b in blocks)
    status, kind, reason = judge_integers(different, reference.size, worst, limits)
    return TensorError(
        name,
        status,
        max_abs=worst,
        max_rel=_ratio(worst, scale),
        rms_rel=different / reference.size,
        elements=reference.size,
        kind=kind,
        rule=integer_rule(limits),
        reason=reason,
        compared=reference.size,
    )


@dataclass(frozen=True)
class _Exact:
    """Elements that differ, their largest gap, and the largest magnitude of the reference; 1 but for integers."""

    different: int
    gap: float
    scale: float


def _exact_block(r: Tensor, c: Tensor) -> _Exact:
    different = int(np.count_nonzero(r != c))
    if r.dtype.kind not in "iu" or c.dtype.kind not in "iu":
        return _Exact(different, 1.0, 1.0)
    gap = np.abs(r.astype(np.float64) - c.astype(np.float64)).max() if different else 0.0
    return _Exact(different, float(gap), max(abs(float(r.min())), abs(float(r.max()))))


def _floats(name: str, reference: Tensor, candidate: Tensor, limits: Limits) -> TensorError:
    rule = ElementRule(limits.atol or 0.0, limits.rtol or 0.0) if limits.elementwise else None
    total = sums(reference, candidate, rule)
    errors = FloatErrors(
        elements=int(reference.size),
        nonfinite=total.odd,
        max_abs=total.max_abs,
        scale=total.scale,
        rms=total.rms_rel,
        over=total.over,
        weighed=total.weighed,
        lost=total.lost,
    )
    status, kind, reason = judge_floats(errors, limits)
    return TensorError(
        name,
        status,
        max_abs=errors.max_abs,
        max_rel=_ratio(errors.max_abs, errors.scale),
        rms_rel=errors.rms,
        nonfinite=total.odd,
        elements=errors.elements,
        kind=kind,
        rule=limits.describe(),
        reason=reason,
        extra=_extra(total),
        compared=total.compared,
        weighed=errors.weighed,
        lost=errors.lost,
        of_limit=_of_limit(total, limits),
    )


def _of_limit(total: Sums, limits: Limits) -> float | None:
    if total.odd or not total.compared:
        return None
    if limits.elementwise:
        return total.used
    return of_rms_limit(total.rms_rel, total.max_abs, total.scale, limits)


def _extra(total: Sums) -> dict[str, float]:
    """What the same pass tells beside the verdict; without what is not defined, such as the cosine to zero."""
    numbers = (total.mean_abs, total.mean_rel, total.max_rel, total.cosine, total.sqnr_db)
    return {name: n for name, n in zip(NUMBERS, numbers, strict=True) if not math.isnan(n)}


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return 0.0 if part == 0.0 else float("inf")
