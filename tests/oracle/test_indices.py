"""Indices of ArgMax and TopK are judged by the values that they choose."""

from __future__ import annotations

import numpy as np
import pytest

from trtdebug.oracle.compare import compare
from trtdebug.oracle.indices import judge_choice
from trtdebug.oracle.tolerance import Limits

FP16 = Limits(rms=1e-2)


def judged(values, reference, candidate, axis=-1, keepdims=False, limits=FP16):
    r, c = np.array(reference), np.array(candidate, np.int32)
    error = compare("i", r, c, limits)
    return judge_choice(error, r, c, np.array(values, np.float32), axis, keepdims, limits)


@pytest.mark.parametrize(
    ("second", "status"), [(1.0, "pass"), (0.995, "pass"), (0.985, "untestable"), (0.9, "fail")]
)
def test_the_runner_up_instead_of_the_best(second, status):
    """With 1 % allowed: ties and values 0.5 % apart pass, 1.5 % nobody knows, 10 % is wrong."""
    error = judged([[0.1, 1.0, second]], [1], [2])
    assert error.status == status
    assert ("1 of 1 choices differ" in error.reason) == (status != "pass")
    assert "1 of 1 choices differ" in error.reason + error.rule


def test_one_far_choice_among_ties_fails():
    values = [[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    error = judged(values, [0, 0, 0], [1, 1, 1])
    assert (error.status, error.kind) == ("fail", "mismatch")
    assert error.reason == "3 of 3 choices differ, 1 of them between values that are far apart"


def test_ties_along_another_axis_and_with_the_axis_kept():
    values = np.array([[1.0, 5.0], [1.0, 2.0]])
    assert judged(values, [0, 0], [1, 0], axis=0).status == "pass"
    assert judged(values, [[0, 0]], [[1, 0]], axis=0, keepdims=True).status == "pass"
    assert judged(values, [[0, 0]], [[0, 1]], axis=-2, keepdims=True).status == "fail"


def test_top_k_may_swap_equals_but_give_none_twice():
    values = [[3.0, 3.0, 2.0, 0.0]]
    assert judged(values, [[0, 1, 2]], [[1, 0, 2]], keepdims=True).status == "pass"
    assert judged(values, [[0, 1, 2]], [[0, 0, 2]], keepdims=True).status == "fail"
    assert judged(values, [[0, 1, 2]], [[0, 1, 3]], keepdims=True).status == "fail"


@pytest.mark.parametrize("wrong", [3, -4, 100])
def test_an_index_out_of_range_fails(wrong):
    assert judged([[1.0, 1.0, 1.0]], [0], [wrong]).status == "fail"


def test_a_negative_index_counts_from_the_end():
    assert judged([[1.0, 1.0, 2.0]], [2], [-1]).status == "pass"


@pytest.mark.parametrize("values", [[[np.nan, 1.0]], [[np.inf, 1.0]]])
def test_values_that_are_not_finite_excuse_nothing(values):
    assert judged(values, [0], [1]).status == "fail"


def test_the_element_rule_says_how_near_is_near():
    assert judged([[10.0, 9.5]], [0], [1], limits=Limits(1e-2, atol=0.5, rtol=0.0)).status == "pass"
    assert judged([[10.0, 9.5]], [0], [1], limits=Limits(1e-2, atol=0.1, rtol=0.0)).status == "fail"


def test_equal_indices_stay_as_they_are():
    assert judged([[1.0, 1.0]], [0], [0]).rule == "equal"


@pytest.mark.parametrize(
    ("limits", "second", "status"),
    [
        (Limits(0.0), 1 - 5e-7, "pass"),
        (Limits(0.0), 1 - 5e-6, "fail"),
        (Limits(0.0, rounding=1e-5), 1 - 5e-6, "pass"),
        (Limits(0.0, rounding=0.5), 0.9, "fail"),
    ],
)
def test_what_is_negligible_or_the_references_own_rounding_is_a_tie_as_it_is_no_error_of_floats(
    limits, second, status
):
    assert judged([[1.0, second]], [0], [1], limits=limits).status == status
