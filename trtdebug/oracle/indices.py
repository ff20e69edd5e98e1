"""Indices that ArgMax, ArgMin and TopK choose: another choice among values that are as good as equal is no failure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.outcome import TensorError
from trtdebug.oracle.tolerance import NEGLIGIBLE, Limits
from trtdebug.scripts.ties import other_choices

Tensor = NDArray[np.generic]

CHOICE_RULE = "equal, or the reference's values of both choices:"
"""How the rule for indices starts, in words."""


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

    Where the two sides chose differently, the reference's own values of both are compared (see `other_choices`):
    closer than the tolerance, or than what the reference's own rounding explains, is a tie, and passes; up to twice
    as far nobody knows which is larger; beyond that it fails. An index out of range, or one that TopK gives twice,
    fails as before.

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
    limit = max(limits.widest_rms, NEGLIGIBLE)
    found = other_choices(reference, candidate, values, axis, keepdims, limit, limits.atol, limits.rtol)
    if found is None:
        return error
    count = f"{found.count} of {error.elements} choices differ"
    rule = f"{CHOICE_RULE} {limits.describe()}"
    if not found.apart:
        return replace(error, status="pass", kind=None, reason="", rule=f"{rule} ({count})")
    if found.far:
        return replace(
            error, rule=rule, reason=f"{count}, {found.far} of them between values that are far apart"
        )
    return replace(
        error, status="untestable", kind=None, rule=rule, reason=f"{count} between near-equal values"
    )
