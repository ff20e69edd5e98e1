"""Compares one tensor of the candidate with the reference's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.outcome import SignatureKind, TensorError
from trtdebug.oracle.tolerance import NEGLIGIBLE, Limits

Tensor = NDArray[np.generic]


def compare(name: str, reference: Tensor | None, candidate: Tensor | None, limits: Limits) -> TensorError:
    """Errors and verdict of one tensor.

    In this order: missing on a side, shape, NaN/Inf pattern, tolerance. Integers of different width count as
    equal when their values are; integers and bools must be equal exactly, there is no tolerance for them.

    Args:
        reference, candidate: arrays of any shape and dtype; None = the side has no such tensor.
        limits: see trtdebug.oracle.tolerance.
    """
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
    return _exact(name, reference, candidate)


def is_float(tensor: Tensor) -> bool:
    """Whether the dtype is a float, the narrow ones of ml_dtypes (bfloat16, float8_*) included."""
    return tensor.dtype.kind == "f" or tensor.dtype.name.startswith(("bfloat", "float"))


def _fail(name: str, kind: SignatureKind, reason: str) -> TensorError:
    inf = float("inf")
    return TensorError(name, "fail", max_abs=inf, max_rel=inf, rms_rel=inf, kind=kind, reason=reason)


def _exact(name: str, reference: Tensor, candidate: Tensor) -> TensorError:
    different = int(np.count_nonzero(reference != candidate))
    if not different:
        return TensorError(name, "pass", elements=reference.size, rule="equal", compared=reference.size)
    if reference.dtype.kind in "iu" and candidate.dtype.kind in "iu":
        gap = np.abs(reference.astype(np.float64) - candidate.astype(np.float64))
        scale = float(np.max(np.abs(reference.astype(np.float64))))
        worst = float(np.max(gap))
    else:
        worst, scale = 1.0, 1.0
    return TensorError(
        name,
        "fail",
        max_abs=worst,
        max_rel=worst / scale if scale else float("inf"),
        rms_rel=different / reference.size,
        elements=reference.size,
        kind="mismatch",
        rule="equal",
        reason=f"{different} of {reference.size} elements differ",
        compared=reference.size,
    )


def _floats(name: str, reference: Tensor, candidate: Tensor, limits: Limits) -> TensorError:
    r, c = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    finite_r, finite_c = np.isfinite(r), np.isfinite(c)
    both = finite_r & finite_c
    odd = int(np.count_nonzero(~both & ~_same_nonfinite(r, c)))
    if not both.all():
        r, c = r[both], c[both]
    with np.errstate(over="ignore"):  # two float64 of opposite sign may lie further apart than a float64 goes
        gap = np.abs(c - r)
    magnitude = np.abs(r)
    worst = float(gap.max(initial=0.0))
    scale = float(magnitude.max(initial=0.0))
    rms = _relative_rms(gap, r, scale)
    reason, kind = "", None
    if odd:
        kind, reason = "nonfinite", f"{odd} of {reference.size} elements are NaN or Inf on one side only"
    elif limits.elementwise:
        over = int(np.count_nonzero(gap > (limits.atol or 0.0) + (limits.rtol or 0.0) * magnitude))
        if over:
            kind, reason = "mismatch", f"{over} of {reference.size} elements break {limits.describe()}"
    elif rms > limits.rms and worst > NEGLIGIBLE * (scale or 1.0):
        kind, reason = "mismatch", f"relative RMS error {rms:.3g} breaks {limits.describe()}"
    return TensorError(
        name,
        "fail" if kind else "pass",
        max_abs=worst,
        max_rel=_ratio(worst, scale),
        rms_rel=rms,
        nonfinite=odd,
        elements=int(reference.size),
        kind=kind,  # type: ignore[arg-type]
        rule=limits.describe(),
        reason=reason,
        compared=int(np.count_nonzero(both)),
    )


def _same_nonfinite(r: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (np.isnan(r) & np.isnan(c)) | (np.isinf(r) & (r == c))
    return same


def _relative_rms(gap: NDArray[np.float64], r: NDArray[np.float64], scale: float) -> float:
    """||gap|| / ||r||, both brought near 1 by a power of two: squares of float64 may leave its range."""
    if not scale:
        return _ratio(float(gap.max(initial=0.0)), 0.0)
    exponent = -math.frexp(scale)[1]
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(np.ldexp(gap, exponent))) / float(np.linalg.norm(np.ldexp(r, exponent)))


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return 0.0 if part == 0.0 else float("inf")
