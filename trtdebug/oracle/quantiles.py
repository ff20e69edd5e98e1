"""Quantiles of the errors. On demand only: they need all errors at once, and sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]

USUAL = (0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True)
class Quantile:
    """The share `at` of the elements is off by at most `abs`; of those where r is not 0, by at most `rel` * |r|."""

    at: float
    abs: float
    rel: float


def quantiles(reference: Tensor, candidate: Tensor, at: Sequence[float] = USUAL) -> tuple[Quantile, ...]:
    """Over the elements that are finite on both sides; NaN where there is none.

    Args:
        reference, candidate: numbers of any dtype, equal shapes.
        at: in [0, 1]. The values given are errors of elements, none between two (NumPy's method "higher").
    """
    r, c = (side.astype(np.float64).ravel() for side in (reference, candidate))
    both = np.isfinite(r) & np.isfinite(c)
    size = np.abs(r[both])
    gap = np.abs(c[both] - r[both])
    absolute = _of(gap, at)
    relative = _of(gap[size > 0] / size[size > 0], at)
    return tuple(Quantile(*q) for q in zip(at, absolute, relative, strict=True))


def _of(errors: NDArray[np.float64], at: Sequence[float]) -> list[float]:
    if not errors.size:
        return [float("nan")] * len(at)
    return [float(q) for q in np.quantile(errors, at, method="higher")]
