"""How far rounding alone moves a result: inputs moved by one unit roundoff, and what that explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]

ROUNDOFF = {"fp16": 2.0**-11, "bf16": 2.0**-8}
"""Unit roundoff: the largest relative error of rounding a number in range to nearest."""

LARGEST = {"fp16": 65504.0, "bf16": (2.0 - 2.0**-7) * 2.0**127}
"""Largest finite number."""

HEALTHY = 8.0
"""A well-conditioned node in a healthy kernel makes an error of up to this many unit roundoffs, and turns one of its
inputs into no more."""

EXPLAINED = 3.0
"""An error up to this many times what rounded inputs make is explained by them: two operands and the result
round, and a draw of signs is not the worst there is."""


def perturbed(values: Tensor, roundoff: float, seed: int) -> Tensor:
    """`values` with every element moved by `roundoff` times itself, up or down at random; signs and zeros stay.

    Same shape and dtype; integers and bools come back as they are.
    """
    if values.dtype.kind != "f" or roundoff == 0.0:
        return values
    signs = np.random.default_rng(seed).choice(np.array([-roundoff, roundoff]), values.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        moved: Tensor = (values.astype(np.float64) * (1.0 + signs)).astype(values.dtype)
    return moved


def leaves_range(values: Tensor, low: str) -> bool:
    """Whether a finite element is beyond the largest number of the precision, or one rounding away from that."""
    if values.dtype.kind != "f" or not values.size:
        return False
    size = np.abs(values.astype(np.float64))
    largest = float(np.max(size, where=np.isfinite(size), initial=0.0))
    return largest * (1.0 + ROUNDOFF[low]) > LARGEST[low]


def explains(rounded: float, error: float) -> bool:
    """Whether `error` is no more than inputs off by a rounding explain, which alone make `rounded`."""
    return 0.0 < error <= EXPLAINED * rounded
