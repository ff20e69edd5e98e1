"""Signal to quantisation noise ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Sqnr:
    """SQNR of a tensor over any number of samples, in dB: 10 log10(sum r^2 / sum (r - q)^2).

    `r` is the float value, `q` the quantised one. It is the ratio of signal and noise power (Gersho and Gray, Vector
    Quantization and Signal Compression, 1992, chapter 5); `compute_signal_to_quantization_noice_ratio` of
    `onnxruntime.quantization.qdq_loss_debug` gives the same as 20 log10(||r|| / ||r - q||). 6 dB are one bit.
    """

    signal: float = 0.0
    noise: float = 0.0

    def add(self, reference: NDArray[Any], quantised: NDArray[Any]) -> None:
        """Adds a sample, two float arrays of one shape.

        Where the reference is not finite nothing is counted; where only the quantised value is not, the noise is
        infinite.
        """
        r, q = (np.asarray(array, dtype=np.float64) for array in (reference, quantised))
        known = np.isfinite(r)
        r, q = r[known], q[known]
        self.signal += float(np.sum(r * r))
        self.noise += float(np.sum((r - q) ** 2)) if np.isfinite(q).all() else math.inf

    @property
    def db(self) -> float:
        """inf where nothing was lost, -inf where nothing is left."""
        if self.noise == 0.0:
            return math.inf
        if self.signal == 0.0 or math.isinf(self.noise):
            return -math.inf
        return 10.0 * math.log10(self.signal / self.noise)


def worst(values: Mapping[str, Sqnr]) -> float:
    """The lowest of them in dB; inf where there are none."""
    return min((sqnr.db for sqnr in values.values()), default=math.inf)
