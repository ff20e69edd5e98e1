"""Verdicts that other comparators get wrong: one test a trap, named for it. Most are measured on Polygraphy 0.53.6."""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np
import pytest

from trtdebug.core.outcome import Outcome
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits
from trtdebug.oracle.verdict import judge

FP16 = Limits(rms=1e-2)
FP32 = Limits(rms=1e-5)
Tensors = Mapping[str, np.ndarray]


def verdict(reference: Tensors, candidate: Tensors, limits: Limits = FP16) -> Outcome:
    """As a trial judges: by exact name, what the reference has and what the candidate has beyond it."""
    names = dict.fromkeys((*reference, *candidate))
    errors = tuple(compare(n, reference.get(n), candidate.get(n), limits) for n in names)
    status, signature, reason = judge(errors)
    return Outcome(status, signature, reason, errors)


def floats(*values: float, dtype: object = np.float32) -> np.ndarray:
    return np.array(values, dtype)


def test_an_output_that_the_candidate_lacks_is_skipped_and_passes():
    outcome = verdict({"a": floats(1), "b": floats(2)}, {"a": floats(1)})
    assert (outcome.status, outcome.signature.kind, outcome.signature.outputs) == (
        "fail",
        "missing-output",
        ("b",),
    )


def test_an_output_that_only_the_candidate_has_is_skipped_and_passes():
    assert verdict({"a": floats(1)}, {"a": floats(1), "b": floats(2)}).signature.outputs == ("b",)


def test_outputs_without_a_common_name_are_compared_by_index():
    outcome = verdict({"a": floats(1)}, {"b": floats(1)})
    assert outcome.signature.kind == "missing-output"
    assert outcome.signature.outputs == ("a", "b")


def test_outputs_are_matched_by_substring():
    outcome = verdict({"conv": floats(1)}, {"conv_1_out": floats(1)})
    assert outcome.signature.kind == "missing-output"


def test_equal_infinities_fail():
    assert verdict({"y": floats(1, np.inf, -np.inf)}, {"y": floats(1, np.inf, -np.inf)}).status == "pass"
    assert verdict({"y": floats(1, np.inf)}, {"y": floats(1, -np.inf)}).status == "fail"


def test_equal_nans_fail():
    assert verdict({"y": floats(1, np.nan)}, {"y": floats(1, np.nan)}).status == "pass"


def test_nothing_but_nan_on_both_sides_passes():
    """The same NaN everywhere shows nothing: it is no pass either."""
    assert verdict({"y": floats(np.nan)}, {"y": floats(np.nan)}).status == "untestable"


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_a_narrow_float_crashes(dtype):
    x = floats(1, -2, 0.5, dtype=dtype)
    assert verdict({"y": x}, {"y": x.copy()}).status == "pass"
    assert verdict({"y": x}, {"y": -x}).status == "fail"


def test_zero_against_a_tiny_value_has_a_huge_relative_error_and_fails():
    """0 against 1e-4 beside elements near 1: 4.5e11 relative, and no error to speak of."""
    assert verdict({"y": floats(0, 1, -1)}, {"y": floats(1e-4, 1, -1)}).status == "pass"


def test_integers_with_a_zero_in_the_reference_give_nan():
    outcome = verdict({"y": np.array([0, 5])}, {"y": np.array([1, 5])})
    assert (outcome.status, outcome.tensors[0].max_rel) == ("fail", 0.2)


def test_another_shape_of_as_many_elements_passes():
    assert verdict({"y": np.ones((1, 2))}, {"y": np.ones(2)}).signature.kind == "shape"


def test_an_element_has_to_break_both_tolerances_to_fail():
    """abs > atol and rel > rtol: an error of 0.9 at 1e-9 passes with atol 1, and one of 50 % with rtol 0.5."""
    both = Limits(rms=1.0, atol=1e-3, rtol=1e-3)
    assert verdict({"y": floats(1, 1000)}, {"y": floats(1.0019, 1000)}, both).status == "pass"
    assert verdict({"y": floats(1, 1000)}, {"y": floats(1.0021, 1000)}, both).status == "fail"
    assert verdict({"y": floats(1, 1000)}, {"y": floats(1, 1001.5)}, both).status == "fail"


def test_one_default_tolerance_for_every_precision():
    """atol = rtol = 1e-5 for FP16 too: every healthy engine fails."""
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    rounded = x.astype(np.float16).astype(np.float32)
    assert verdict({"y": x}, {"y": rounded}, FP16).status == "pass"
    assert verdict({"y": x}, {"y": rounded}, FP32).status == "fail"


def test_the_mean_relative_error_calls_healthy_engines_broken():
    """Near zero relative errors are large: their mean is 1 % here, though the RMS error is 0.3 %."""
    x = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    near = x + np.float32(3e-3) * np.random.default_rng(1).standard_normal(10_000).astype(np.float32)
    assert np.mean(np.abs(near - x) / np.abs(x)) > 0.01
    assert verdict({"y": x}, {"y": near}).status == "pass"


def test_a_huge_element_hides_many_wrong_ones():
    """All but one of 10,000 elements are lost, and the relative RMS error is 1 %: not known, and never a pass."""
    x = np.ones(10_000, np.float32)
    x[0] = 2e4
    wrong = np.zeros_like(x)
    wrong[0] = x[0]
    outcome = verdict({"y": x}, {"y": wrong})
    assert outcome.tensors[0].rms_rel < 1e-2
    assert outcome.status == "untestable"
    assert "9999 of 10000 elements are off by half of themselves" in outcome.reason
    assert verdict({"y": x}, {"y": wrong}, Limits(1e-2, atol=0.01, rtol=0.01)).status == "fail"


def test_a_finite_but_wrong_output_passes_who_looks_for_nan_only():
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    assert verdict({"y": x}, {"y": np.zeros_like(x)}).signature.kind == "mismatch"


def test_an_index_of_another_width_fails():
    assert verdict({"y": np.array([3], np.int64)}, {"y": np.array([3], np.int32)}).status == "pass"


def test_no_output_at_all_passes():
    assert verdict({}, {}).status == "untestable"
