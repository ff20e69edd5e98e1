"""The formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnxruntime.quantization.qdq_loss_debug import compute_signal_to_quantization_noice_ratio
from trtdebug_quant.sqnr import Sqnr


def sqnr(*samples):
    found = Sqnr()
    for r, q in samples:
        found.add(np.float32(r), np.float32(q))
    return found.db


def test_is_what_onnxruntime_computes():
    random = np.random.default_rng(0)
    r = random.normal(size=1000).astype(np.float32)
    q = r + random.normal(0, 0.01, 1000).astype(np.float32)
    assert sqnr((r, q)) == pytest.approx(compute_signal_to_quantization_noice_ratio(r, q), abs=1e-3)


def test_a_tenth_is_20_db_and_samples_are_one_long_tensor():
    assert sqnr(([1, -1], [1.1, -1.1])) == pytest.approx(20, abs=1e-4)
    assert sqnr(([3], [3]), ([4], [4.5])) == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize(
    ("r", "q", "db"),
    [
        ([1, 2], [1, 2], math.inf),
        ([0, 0], [0, 0], math.inf),
        ([0, 0], [0, 1], -math.inf),
        ([1, 2], [1, np.nan], -math.inf),
        ([1, 2], [1, np.inf], -math.inf),
        ([1, np.inf], [1.1, np.inf], 20),
        ([], [], math.inf),
    ],
)
def test_ends(r, q, db):
    assert sqnr((r, q)) == pytest.approx(db, abs=1e-4)
