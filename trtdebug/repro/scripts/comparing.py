"""Compares an output with the reference's."""

from __future__ import annotations

import math

import numpy as np

from trtdebug.repro.scripts.result import Row, Tensor

NEGLIGIBLE = 1e-6
"""Errors below this fraction of the tensor's largest magnitude are no failure."""


def compare(
    name: str,
    reference: Tensor,
    candidate: Tensor | None,
    limit: float,
    atol: float | None = None,
    rtol: float | None = None,
) -> Row:
    """Missing, shape, pattern of NaN and Inf, size of the error: the first that is wrong is the kind.

    The size is the relative RMS error; with `atol` or `rtol` it is |c - r| <= atol + rtol * |r| per element.
    """
    if candidate is None:
        return Row(name, "missing-output", math.inf, math.inf)
    if candidate.shape != reference.shape:
        return Row(name, "shape", math.inf, math.inf)
    if reference.size == 0:
        return Row(name, None, None, None)
    if not (_is_float(reference) and _is_float(candidate)):
        wrong = int(np.count_nonzero(reference != candidate))
        kind = "mismatch" if wrong or _is_float(reference) != _is_float(candidate) else None
        return Row(name, kind, float(wrong > 0), wrong / reference.size, 0, reference.size)
    r, c = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    both = np.isfinite(r) & np.isfinite(c)
    alike = both | (np.isnan(r) & np.isnan(c)) | (np.isinf(r) & (r == c))
    odd = int(np.count_nonzero(~alike))
    if not both.any():
        return Row(name, "nonfinite" if odd else None, None, None, odd, int(reference.size))
    r, c = r[both], c[both]
    gap = np.abs(c - r)
    max_abs = float(gap.max(initial=0.0))
    scale = float(np.abs(r).max(initial=0.0))
    norm, error = float(np.linalg.norm(r)), float(np.linalg.norm(c - r))
    rms = error / norm if norm else (math.inf if error else 0.0)
    if atol is None and rtol is None:
        wrong_numbers = rms > limit and max_abs > NEGLIGIBLE * (scale or 1.0)
    else:
        wrong_numbers = bool(np.any(gap > (atol or 0.0) + (rtol or 0.0) * np.abs(r)))
    kind = "nonfinite" if odd else "mismatch" if wrong_numbers else None
    return Row(name, kind, max_abs, rms, odd, int(reference.size))


def judge(rows: list[Row]) -> str | None:
    """Kind of the failure of the whole: the gravest of its outputs."""
    kinds = {row.kind for row in rows}
    return next((k for k in ("missing-output", "shape", "nonfinite", "mismatch") if k in kinds), None)


def _is_float(tensor: Tensor) -> bool:
    return np.issubdtype(tensor.dtype, np.floating)
