"""Numbers a tensor beside the verdict. Each: (reference, candidate) of equal shape -> float."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]


def cosine(reference: Tensor, candidate: Tensor) -> float:
    """Cosine similarity, 1 for equal directions; NaN where a side is zero or not finite."""
    r, c = _flat(reference), _flat(candidate)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return float(np.dot(r, c) / (np.linalg.norm(r) * np.linalg.norm(c)))


def sqnr(reference: Tensor, candidate: Tensor) -> float:
    """Signal to quantisation noise ratio, 10 log10(||r||^2 / ||c - r||^2), in dB; inf for equal tensors."""
    r, c = _flat(reference), _flat(candidate)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return float(20 * np.log10(np.linalg.norm(r) / np.linalg.norm(c - r)))


def _flat(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.astype(np.float64).ravel()
