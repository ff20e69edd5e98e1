"""The rules of the oracle, one by one and in their order."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits

FP16 = Limits(rms=1e-2)
NAN, INF = np.nan, np.inf
FLOATS = ("float16", "float32", "float64")


def floats(*values: float, dtype: str = "float32") -> np.ndarray:
    return np.array(values, dtype)


def test_a_tensor_that_either_side_lacks_fails():
    """Polygraphy passes both: it compares what the two sides have in common."""
    there = floats(1, 2)
    for pair, side in (((there, None), "candidate"), ((None, there), "reference")):
        error = compare("y", *pair, FP16)
        assert (error.status, error.kind) == ("fail", "missing-output")
        assert side in error.reason


def test_another_shape_fails_even_where_it_would_broadcast():
    error = compare("y", np.ones((1, 2), np.float32), np.ones(2, np.float32), FP16)
    assert (error.status, error.kind) == ("fail", "shape")
    assert error.reason == "shape [2], expected [1, 2]"


def test_the_shape_is_looked_at_before_nan():
    assert compare("y", floats(1, NAN), floats(1), FP16).kind == "shape"


def test_nan_is_looked_at_before_the_tolerance():
    error = compare("y", floats(1, 2, 3), floats(1, NAN, 300), FP16)
    assert (error.kind, error.nonfinite) == ("nonfinite", 1)
    assert error.max_abs == 297  # over what is finite on both sides


@pytest.mark.parametrize("same", [NAN, INF, -INF])
def test_the_same_nan_or_inf_on_both_sides_is_no_failure(same):
    """Polygraphy fails equal Inf and NaN."""
    error = compare("y", floats(1, same), floats(1, same), FP16)
    assert (error.status, error.nonfinite) == ("pass", 0)


@pytest.mark.parametrize(("r", "c"), [(INF, -INF), (NAN, INF), (INF, 1.0), (1.0, NAN)])
def test_another_nan_or_inf_fails(r, c):
    error = compare("y", floats(1, r), floats(1, c), FP16)
    assert (error.status, error.kind, error.nonfinite) == ("fail", "nonfinite", 1)


def test_nan_is_a_failure_under_the_element_rule_too():
    generous = Limits(rms=1, atol=1e9, rtol=1e9)
    assert compare("y", floats(1), floats(NAN), generous).kind == "nonfinite"


def test_rms_rule_does_not_punish_small_elements_of_a_big_tensor():
    reference = floats(1000, 1e-3)
    candidate = floats(1000.1, 2e-3)  # the small one is off by 100 %
    error = compare("y", reference, candidate, FP16)
    assert error.status == "pass"
    assert error.rms_rel == pytest.approx(1e-4, rel=1e-3)
    assert error.max_rel == pytest.approx(1e-4, rel=1e-3)


def test_rms_rule_names_itself():
    error = compare("y", floats(1, 1), floats(1, 1.1), FP16)
    assert (error.status, error.kind) == ("fail", "mismatch")
    assert error.rule == "||c - r|| / ||r|| <= 0.01"
    assert error.rule in error.reason


@pytest.mark.parametrize(
    ("candidate", "status"), [((1.0, 100.9), "pass"), ((1.0, 101.2), "fail"), ((1.02, 100.0), "fail")]
)
def test_element_rule_holds_for_every_element(candidate, status):
    """|c - r| <= atol + rtol * |r| with atol 0.01 and rtol 0.01: 0.02 allowed at 1, 1.01 at 100."""
    rule = Limits(rms=1e9, atol=0.009, rtol=0.01)
    assert compare("y", floats(1, 100), floats(*candidate), rule).status == status


def test_element_rule_is_used_as_soon_as_one_part_is_given():
    """An RMS error of 1e-4 that the RMS rule would let pass."""
    reference, candidate = floats(1000, 1e-3), floats(1000.1, 2e-3)
    for rule in (Limits(rms=1e-2, atol=1e-6), Limits(rms=1e-2, rtol=1e-6)):
        error = compare("y", reference, candidate, rule)
        assert error.status == "fail"
        assert error.reason.startswith("2 of 2 elements break |c - r| <= ")


def test_zero_atol_asks_for_equality():
    rule = Limits(rms=1, atol=0.0, rtol=0.0)
    assert compare("y", floats(1), floats(1), rule).status == "pass"
    assert compare("y", floats(1), np.nextafter(floats(1), floats(2)), rule).status == "fail"


def test_errors_far_below_the_scale_never_fail_the_rms_rule():
    rule = Limits(rms=0.0)
    reference = floats(1, 2)
    assert compare("y", reference, reference + floats(1e-6, 0), rule).status == "pass"
    assert compare("y", reference, reference + floats(1e-5, 0), rule).status == "fail"


def test_against_zero_only_tiny_values_pass():
    zero = np.zeros(4, np.float32)
    assert compare("y", zero, zero, FP16).rms_rel == 0
    assert compare("y", zero, zero + np.float32(1e-7), FP16).status == "pass"
    error = compare("y", zero, zero + np.float32(1e-4), FP16)
    assert (error.status, error.rms_rel, error.max_rel) == ("fail", INF, INF)


def test_all_zero_output_instead_of_numbers_fails():
    """What TensorRT's FP16 engine of an overflowing transformer gave: x / inf = 0, finite and wrong."""
    error = compare("y", np.linspace(-3, 3, 50, dtype=np.float32), np.zeros(50, np.float32), FP16)
    assert (error.status, error.nonfinite) == ("fail", 0)
    assert error.rms_rel == pytest.approx(1)


def test_empty_tensors_pass_and_say_so():
    empty = np.zeros((0, 3), np.float32)
    error = compare("y", empty, empty, FP16)
    assert (error.status, error.rule, error.elements) == ("pass", "empty", 0)
    assert compare("y", empty, np.zeros((3, 0), np.float32), FP16).kind == "shape"


def test_scalars_are_tensors():
    assert compare("y", np.float32(1).reshape(()), np.float32(1.5).reshape(()), FP16).status == "fail"


def test_integers_of_another_width_are_equal_by_value():
    """Seed T1: an int64 output that TensorRT gives as int32."""
    wide = np.array([3, -1, 7], np.int64)
    assert compare("z:0", wide, wide.astype(np.int32), FP16).status == "pass"


def test_integers_know_no_tolerance():
    error = compare("y", np.array([1000, 5]), np.array([1000, 6]), Limits(rms=1, atol=10.0))
    assert (error.status, error.kind, error.reason) == ("fail", "mismatch", "1 of 2 elements differ")
    assert (error.max_abs, error.rms_rel) == (1.0, 0.5)


def test_integers_beyond_float64_are_told_apart():
    a, b = np.array([2**53], np.int64), np.array([2**53 + 1], np.uint64)
    assert compare("y", a, b, FP16).status == "fail"


def test_integers_against_zero():
    assert compare("y", np.zeros(2, np.int64), np.array([0, 1]), FP16).max_rel == INF


def test_bools_must_be_equal():
    a = np.array([True, False])
    assert compare("y", a, a.copy(), FP16).status == "pass"
    assert compare("y", a, ~a, FP16).reason == "2 of 2 elements differ"


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_narrow_floats_are_floats(dtype):
    """Polygraphy crashes on a bfloat16 array."""
    reference = floats(1, 1.4, -3)
    assert compare("y", reference.astype(dtype), reference.astype(dtype), FP16).status == "pass"
    error = compare("y", reference, reference.astype(dtype), Limits(rms=1e-5))
    assert error.kind == "mismatch"
    assert 0 < error.rms_rel < 0.2
    assert compare("y", reference, floats(1, NAN, -3).astype(dtype), FP16).kind == "nonfinite"


def test_floats_of_another_width_are_compared_as_numbers():
    assert compare("y", floats(1, 2), floats(1, 2, dtype="float16"), FP16).status == "pass"


def test_float_against_integer_fails_whatever_the_values():
    for r, c in ((floats(1), np.array([1])), (np.array([1]), floats(1))):
        error = compare("y", r, c, FP16)
        assert (error.kind, error.reason) == ("mismatch", f"dtype {c.dtype}, expected {r.dtype}")


@pytest.mark.parametrize("value", [1e200, 1e-200, 1e308])
def test_float64_beyond_the_range_of_its_squares(value):
    r = floats(value, 0, dtype="float64")
    assert compare("y", r, r, FP16).status == "pass"
    for wrong in (-r, 2e-3 * r, np.zeros(2)):
        assert compare("y", r, wrong, FP16).kind == "mismatch"


def test_memory_mapped_tensors_are_left_alone(tmp_path):
    np.save(tmp_path / "r.npy", floats(1, 2))
    mapped = np.load(tmp_path / "r.npy", mmap_mode="r")
    assert compare("y", mapped, floats(1, 2), FP16).status == "pass"


ANY = hnp.arrays(
    dtype=st.sampled_from([*FLOATS, "int8", "uint64", "int64", "bool"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(ANY, st.sampled_from([Limits(rms=0.0), Limits(rms=1, atol=0.0, rtol=0.0)]))
def test_anything_agrees_with_itself(x, rule):
    """NaN and Inf included."""
    error = compare("x", x, x.copy(), rule)
    assert error.status == "pass"
    assert (error.max_abs, error.max_rel, error.rms_rel, error.nonfinite) == (0, 0, 0, 0)


PAIR = hnp.arrays(np.float32, (2, 6), elements=st.floats(-(2**20), 2**20, width=32))


@given(PAIR, st.integers(-300, 300))
def test_scaling_both_sides_changes_nothing_but_max_abs(pair, exponent):
    """By powers of two: exact in float64."""
    factor = 2.0**exponent
    r, c = pair.astype(np.float64)
    plain, scaled = compare("x", r, c, FP16), compare("x", r * factor, c * factor, FP16)
    assert scaled.rms_rel == pytest.approx(plain.rms_rel, rel=1e-12)
    assert scaled.max_rel == pytest.approx(plain.max_rel, rel=1e-12)
    assert scaled.max_abs == plain.max_abs * factor
    if np.any(r):  # against zero there is no scale to compare with
        assert scaled.status == plain.status


@given(PAIR)
def test_order_of_elements_changes_nothing(pair):
    r, c = pair
    a, b = compare("x", r, c, FP16), compare("x", r[::-1], c[::-1], FP16)
    assert (a.status, a.max_abs) == (b.status, b.max_abs)
    assert a.rms_rel == pytest.approx(b.rms_rel)


@given(PAIR)
def test_relative_rms_is_what_numpy_says(pair):
    r, c = pair.astype(np.float64)
    error = compare("x", r, c, FP16)
    if np.linalg.norm(r):
        assert error.rms_rel == pytest.approx(np.linalg.norm(c - r) / np.linalg.norm(r))


ONES = np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        (Limits(1e-2), 0.8),
        (Limits(1e-3, rounding=2e-2), 0.4),
        (Limits(1e-2, atol=1e-2), 0.8),
        (Limits(1e-2, rtol=2e-2), 0.4),
        (Limits(1e-2, atol=1e-2, rtol=1e-2), 0.4),
        (Limits(0.0), None),
    ],
)
def test_how_close_to_the_limit_an_error_is(limits, share):
    error = compare("y", ONES, ONES + np.float32(8e-3), limits)
    assert error.of_limit == (share if share is None else pytest.approx(share, rel=1e-4))


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [(np.arange(3), np.arange(3)), (ONES, ONES * np.inf), (ONES[:0], ONES[:0]), (ONES, None)],
)
def test_where_no_rule_tells_how_close_nothing_does(reference, candidate):
    assert compare("y", reference, candidate, Limits(1e-2)).of_limit is None
