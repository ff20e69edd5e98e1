"""Counts by sign and power of two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.report.html import histogram as module
from trtdebug.report.html.histogram import HIGHEST, LOWEST, histogram


def at(power: int) -> int:
    return power - LOWEST


def test_each_value_is_in_its_bin() -> None:
    values = np.array([1.0, 1.5, 2.0, -0.25, 0.0, np.nan, np.inf, -np.inf, -np.inf, 65504.0], np.float32)
    found = histogram(values)
    assert (found.positive[at(0)], found.positive[at(1)], found.positive[at(15)]) == (2, 1, 1)
    assert found.negative[at(-2)] == 1
    assert (found.zero, found.nan, found.plus_inf, found.minus_inf) == (1, 1, 1, 2)
    assert (found.lowest, found.highest, found.elements, found.step) == (-0.25, 65504.0, 10, 1)


def test_what_is_out_of_range_is_in_the_last_bins() -> None:
    found = histogram(np.array([1e-30, -1e30], np.float32))
    assert found.positive[at(LOWEST)] == 1
    assert found.negative[at(HIGHEST)] == 1


@pytest.mark.parametrize("values", [np.array([], np.float32), np.full((3, 2), np.nan, np.float16)])
def test_without_finite_values_there_are_no_extremes(values: np.ndarray) -> None:
    found = histogram(values)
    assert (found.lowest, found.highest, found.nan) == (None, None, values.size)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.float16, np.float64])
def test_all_types_of_numbers(dtype: type) -> None:
    found = histogram(np.array([[0, 1], [1, 1]], dtype))
    assert (found.zero, found.positive[at(0)]) == (1, 3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32), max_size=20))
def test_every_element_is_counted_once(elements: list[float]) -> None:
    values = np.array(elements, np.float32)
    f = histogram(values)
    assert sum(f.negative) + sum(f.positive) + f.zero + f.nan + f.plus_inf + f.minus_inf == values.size
    assert sum(f.negative) + f.minus_inf == np.count_nonzero(values < 0)


def test_large_tensors_are_sampled_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(1, 1001, dtype=np.float32)
    whole = histogram(values)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert histogram(values) == whole
    monkeypatch.setattr(module, "_MOST", 400)
    sampled = histogram(values)
    assert (sampled.step, sum(sampled.positive)) == (3, 334)
