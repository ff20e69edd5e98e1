"""Indices that ArgMax, ArgMin and TopK choose: another choice among values that are as good as equal is no failure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.outcome import TensorError
from trtdebug.oracle.tolerance import Limits

Tensor = NDArray[np.generic]

CHOICE_RULE = "equal, or the reference's values of both choices:"
"""How the rule for indices starts, in words."""

_UNSURE = 2.0
"""Both values may be off by the tolerance: up to twice of it nobody knows which one is the larger."""


def judge_choice(
    error: TensorError,
    reference: Tensor,
    candidate: Tensor,
    values: Tensor,
    axis: int,
    keepdims: bool,
    limits: Limits,
) -> TensorError:
    """The error of an index tensor, judged by the values that were chosen.

    Where the two sides chose differently, the reference's own values of both are compared: closer than the
    tolerance, relative to the larger of them and to the RMS of what was chosen from, is a tie, and passes; up to
    twice as far nobody knows which is larger; beyond that it fails. An index out of range, or one that TopK
    gives twice, fails as before.

    Args:
        error: as `compare` has it for the bare integers.
        reference, candidate: indices, of equal shape.
        values: the reference's, that both sides should have chosen from.
        axis: along which; may be negative.
        keepdims: the indices have that axis, too (TopK: as long as there are choices).
        limits: those of `values`.
    """
    if error.kind != "mismatch" or not error.elements:
        return error
    axis %= values.ndim
    r, c = (_as_kept(side, axis, keepdims) for side in (reference, candidate))
    length = values.shape[axis]
    if c.min() < -length or c.max() >= length or _repeats(c % length, axis) != _repeats(r % length, axis):
        return error
    wide = values.astype(np.float64)
    ours, theirs = (np.take_along_axis(wide, side % length, axis) for side in (r, c))
    differ = r % length != c % length
    gap, allowed = np.abs(ours - theirs)[differ], _allowed(wide, ours, theirs, axis, limits)[differ]
    if not (np.isfinite(gap).all() and np.isfinite(allowed).all()):
        return error
    count = f"{int(np.count_nonzero(differ))} of {error.elements} choices differ"
    rule = f"{CHOICE_RULE} {limits.describe()}"
    if (gap <= allowed).all():
        return replace(error, status="pass", kind=None, reason="", rule=f"{rule} ({count})")
    far = int(np.count_nonzero(gap > _UNSURE * allowed))
    if far:
        return replace(error, rule=rule, reason=f"{count}, {far} of them between values that are far apart")
    return replace(
        error, status="untestable", kind=None, rule=rule, reason=f"{count} between near-equal values"
    )


def _as_kept(indices: Tensor, axis: int, keepdims: bool) -> NDArray[np.int64]:
    wide = indices.astype(np.int64)
    return wide if keepdims else np.expand_dims(wide, axis)


def _repeats(indices: NDArray[np.int64], axis: int) -> bool:
    """Whether one lane along the axis holds an index twice."""
    ordered = np.sort(indices, axis)
    return bool((np.diff(ordered, axis=axis) == 0).any())


def _allowed(
    values: NDArray[np.float64],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    axis: int,
    limits: Limits,
) -> NDArray[np.float64]:
    size = np.maximum(np.abs(ours), np.abs(theirs))
    if limits.elementwise:
        by_element: NDArray[np.float64] = (limits.atol or 0.0) + (limits.rtol or 0.0) * size
        return by_element
    typical = np.sqrt(np.mean(np.square(values), axis, keepdims=True))
    by_scale: NDArray[np.float64] = limits.rms * np.maximum(size, typical)
    return by_scale
