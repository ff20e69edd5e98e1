"""How the values of a tensor are spread: counts by sign and power of two, in one pass and little memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = -32, 40
"""Powers of two with a bin of their own; what is smaller or larger is in the last ones. FP16 spans 2^-24 to 2^16."""
_BLOCK = 1 << 20  # elements
_MOST = 1 << 24  # elements; of more than that every second, third, ... is counted


@dataclass(frozen=True)
class Histogram:
    """Counts of elements; bin i holds magnitudes from 2^(LOWEST + i) to its double.

    Attributes:
        elements: of the tensor.
        step: every so-manieth of them was counted.
        lowest, highest: the finite values' extremes; None where there are none.
    """

    elements: int
    step: int
    negative: tuple[int, ...]
    positive: tuple[int, ...]
    zero: int
    nan: int
    minus_inf: int
    plus_inf: int
    lowest: float | None
    highest: float | None


def histogram(tensor: NDArray[np.generic]) -> Histogram:
    """Of a tensor of numbers, any shape."""
    flat = tensor.reshape(-1)
    step = -(-flat.size // _MOST) or 1
    bins = HIGHEST - LOWEST + 1
    counts = np.zeros((2, bins), np.int64)
    zero = nan = minus = plus = 0
    low, high = np.inf, -np.inf
    for start in range(0, flat.size, _BLOCK * step):
        with np.errstate(all="ignore"):
            block = np.asarray(flat[start : start + _BLOCK * step : step]).astype(np.float64)
        finite = block[np.isfinite(block)]
        nan += int(np.count_nonzero(np.isnan(block)))
        plus += int(np.count_nonzero(block == np.inf))
        minus += int(np.count_nonzero(block == -np.inf))
        some = finite[finite != 0]
        zero += finite.size - some.size
        exponents = np.clip(np.frexp(some)[1] - 1, LOWEST, HIGHEST) - LOWEST
        counts[0] += np.bincount(exponents[some < 0], minlength=bins)
        counts[1] += np.bincount(exponents[some > 0], minlength=bins)
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    known = high >= low
    return Histogram(
        flat.size,
        step,
        tuple(counts[0].tolist()),
        tuple(counts[1].tolist()),
        zero,
        nan,
        minus,
        plus,
        float(low) if known else None,
        float(high) if known else None,
    )
