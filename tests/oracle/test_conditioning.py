"""Perturbation by rounding, and what it explains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtdebug.oracle.conditioning import ROUNDOFF, explains, leaves_range, perturbed

FLOATS = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3, max_side=5), elements=st.floats(-1e6, 1e6, width=32)
)


@given(FLOATS, st.integers(0, 99))
def test_every_element_moves_by_one_roundoff_and_keeps_its_sign(x, seed):
    moved = perturbed(x, ROUNDOFF["fp16"], seed)
    assert (moved.shape, moved.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(np.sign(moved), np.sign(x))
    normal = np.abs(x) > 1e-30
    np.testing.assert_allclose(np.abs(moved[normal] / x[normal] - 1), 2.0**-11, rtol=1e-3)


def test_signs_depend_on_the_seed_only():
    x = np.ones(100, np.float32)
    np.testing.assert_array_equal(perturbed(x, 0.1, 3), perturbed(x, 0.1, 3))
    assert (perturbed(x, 0.1, 3) != perturbed(x, 0.1, 4)).any()
    assert 20 < (perturbed(x, 0.1, 3) > 1).sum() < 80


@pytest.mark.parametrize("x", [np.arange(5), np.array([True, False])])
def test_integers_and_bools_stay(x):
    assert perturbed(x, 0.1, 0) is x


def test_what_is_not_finite_stays_so():
    x = np.array([np.nan, np.inf, 3e38], np.float32)
    assert (np.isfinite(perturbed(x, 2.0**-8, 0)) <= np.isfinite(x)).all()


def test_an_error_is_explained_up_to_three_times():
    assert explains(0.1, 0.3)
    assert not explains(0.1, 0.31)
    assert not explains(0.1, 0.0)
    assert not explains(0.0, 0.1)


@pytest.mark.parametrize(
    ("value", "low", "expected"),
    [(65000.0, "fp16", False), (-65500.0, "fp16", True), (1e9, "fp16", True), (1e9, "bf16", False)],
)
def test_one_rounding_away_from_infinity(value, low, expected):
    assert leaves_range(np.array([1.0, value], np.float32), low) is expected
    assert not leaves_range(np.array([np.inf, np.nan], np.float32), low)
    assert not leaves_range(np.array([100_000]), low)
