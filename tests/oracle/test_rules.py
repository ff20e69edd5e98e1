"""Verdicts from numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trtdebug.oracle.rules import FEW, FloatErrors, integer_rule, judge_floats, judge_integers
from trtdebug.oracle.tolerance import Limits, OutputLimits

FP16 = Limits(rms=1e-2)
GOOD = FloatErrors(elements=100, nonfinite=0, max_abs=1e-3, scale=1.0, rms=1e-3, weighed=90)


def test_the_nan_pattern_comes_before_everything():
    assert judge_floats(replace(GOOD, nonfinite=3), FP16)[:2] == ("fail", "nonfinite")


@pytest.mark.parametrize(
    ("lost", "status"), [(0, "pass"), (22, "pass"), (23, "untestable"), (90, "untestable")]
)
def test_a_quarter_of_lost_elements_is_borderline(lost, status):
    found, kind, reason = judge_floats(replace(GOOD, lost=lost), FP16)
    assert (found, kind) == (status, None)
    assert (f"{lost} of 90 elements" in reason) == (status == "untestable")


def test_a_few_lost_elements_mean_nothing():
    few = replace(GOOD, elements=FEW - 1, weighed=FEW - 1, lost=FEW - 1)
    assert judge_floats(few, FP16)[0] == "pass"


def test_lost_elements_are_no_matter_of_the_element_rule():
    assert judge_floats(replace(GOOD, lost=90), Limits(1e-2, atol=1.0))[0] == "pass"


def test_a_failure_is_a_failure_however_many_are_lost():
    assert judge_floats(replace(GOOD, rms=0.5, lost=90), FP16)[0] == "fail"


def test_what_the_references_rounding_explains_passes():
    off = replace(GOOD, rms=5e-2)
    assert judge_floats(off, FP16)[0] == "fail"
    assert judge_floats(off, replace(FP16, rounding=6e-2))[0] == "pass"
    status, _, reason = judge_floats(off, replace(FP16, rounding=4e-2))
    assert status == "fail"
    assert "what the reference's own rounding explains" in reason


def test_a_reference_without_digits_leaves_it_unknown():
    noisy = replace(FP16, rounding=0.5)
    assert judge_floats(replace(GOOD, rms=0.3), noisy)[0] == "untestable"
    assert judge_floats(replace(GOOD, rms=0.6), noisy)[0] == "fail"
    assert judge_floats(GOOD, noisy)[0] == "pass"


def test_integers_have_a_tolerance_only_by_name():
    general = Limits(1e-2, atol=5.0, outputs={"z": OutputLimits(atol=1.0)})
    assert judge_integers(1, 10, 1.0, general.of("y"))[0] == "fail"
    assert judge_integers(1, 10, 1.0, general.of("z"))[0] == "pass"
    assert judge_integers(1, 10, 2.0, general.of("z"))[0] == "fail"
    assert integer_rule(general.of("y")) == "equal"
    assert integer_rule(general.of("z")) == "equal within 1"
