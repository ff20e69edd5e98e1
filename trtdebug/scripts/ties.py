"""Indices that two sides chose otherwise (ArgMax, ArgMin, TopK), judged by the values that they choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNSURE = 2.0
"""Both values may be off by the tolerance: up to twice of it nobody knows which one is the larger."""


@dataclass(frozen=True)
class Choices:
    """Choices that differ.

    Attributes:
        count: all of them.
        apart: those between values that are further apart than the tolerance.
        far: those between values that are more than `UNSURE` times as far apart as that.
    """

    count: int
    apart: int
    far: int


def other_choices(
    reference: NDArray[np.generic],
    candidate: NDArray[np.generic],
    values: NDArray[np.generic],
    axis: int,
    keepdims: bool,
    limit: float,
    atol: float | None = None,
    rtol: float | None = None,
) -> Choices | None:
    """Where two sides chose differently, the reference's own values of both choices are compared.

    The tolerance is relative to the larger of them and to the RMS of what was chosen from; with `atol` or `rtol` it
    is the element rule.

    Args:
        reference, candidate: integers, of equal shape, not empty.
        values: the reference's, that both sides should have chosen from.
        axis: along which; may be negative.
        keepdims: the indices have that axis, too (TopK: as long as there are choices).
        limit, atol, rtol: the tolerance: relative, or in its place |c - r| <= atol + rtol * |r|.

    Returns:
        None where no values excuse it: an index is out of range, or one side alone gives one twice (TopK), or a
        value is NaN or Inf.
    """
    axis %= values.ndim
    r, c = (_with_axis(side, axis, keepdims) for side in (reference, candidate))
    length = values.shape[axis]
    if c.min() < -length or c.max() >= length or _repeats(c % length, axis) != _repeats(r % length, axis):
        return None
    wide = values.astype(np.float64)
    ours, theirs = (np.take_along_axis(wide, side % length, axis) for side in (r, c))
    differ = r % length != c % length
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and Inf are looked for below
        size = np.maximum(np.abs(ours), np.abs(theirs))
        if atol is None and rtol is None:
            typical = np.sqrt(np.mean(np.square(wide), axis, keepdims=True))
            allowed = limit * np.maximum(size, typical)
        else:
            allowed = (atol or 0.0) + (rtol or 0.0) * size
        gap, allowed = np.abs(ours - theirs)[differ], allowed[differ]
    if not (np.isfinite(gap).all() and np.isfinite(allowed).all()):
        return None
    apart, far = (int(np.count_nonzero(gap > share * allowed)) for share in (1.0, UNSURE))
    return Choices(int(np.count_nonzero(differ)), apart, far)


def _with_axis(indices: NDArray[np.generic], axis: int, keepdims: bool) -> NDArray[np.int64]:
    wide = indices.astype(np.int64)
    return wide if keepdims else np.expand_dims(wide, axis)


def _repeats(indices: NDArray[np.int64], axis: int) -> bool:
    """Whether one lane along the axis holds an index twice."""
    ordered = np.sort(indices, axis)
    return bool((np.diff(ordered, axis=axis) == 0).any())
