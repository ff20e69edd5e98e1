"""Quantiles of errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trtdebug.oracle.quantiles import Quantile, quantiles


def test_most_elements_are_off_by_little():
    r = np.full(100, 2.0, np.float32)
    c = r.copy()
    c[:5] += 1
    assert quantiles(r, c, (0.5, 0.9, 0.96, 1.0)) == (
        Quantile(0.5, 0.0, 0.0),
        Quantile(0.9, 0.0, 0.0),
        Quantile(0.96, 1.0, 0.5),
        Quantile(1.0, 1.0, 0.5),
    )


def test_zeros_have_no_relative_error_and_nan_no_error():
    [found] = quantiles(np.array([0.0, 4.0, np.nan]), np.array([3.0, 5.0, 1.0]), (1.0,))
    assert (found.abs, found.rel) == (3.0, pytest.approx(0.25))


def test_of_nothing():
    [found] = quantiles(np.zeros(0), np.zeros(0), (0.5,))
    assert math.isnan(found.abs)
    assert math.isnan(found.rel)


def test_integers():
    assert quantiles(np.array([1, 2]), np.array([1, 4]), (1.0,)) == (Quantile(1.0, 2.0, 1.0),)
