"""Numbers beside the verdict."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trtdebug.oracle.metrics import cosine, sqnr


def test_cosine():
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert cosine(x, 5 * x) == pytest.approx(1)
    assert cosine(x, -x) == pytest.approx(-1)
    assert math.isnan(cosine(x, 0 * x))


def test_sqnr_is_in_decibels():
    """An error of 1 % is 40 dB: the default limit of FP16."""
    x = np.array([3.0, 4.0])
    assert sqnr(x, 1.01 * x) == pytest.approx(40)
    assert sqnr(x, x) == math.inf
    assert not math.isfinite(sqnr(x, x * np.nan))


def test_narrow_floats_do_not_overflow():
    x = np.full(100, 60000, np.float16)
    assert cosine(x, x) == pytest.approx(1)
    assert sqnr(x, x / 2) == pytest.approx(20 * math.log10(2), abs=1e-3)
