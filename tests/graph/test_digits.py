"""Rounding to the digits of a low precision, and to nothing else of it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seed_models import model_of, node, value, weight

from trtdebug.graph.digits import split
from trtdebug.graph.rounding import rounded

LOW = {"fp16": np.float16, "bf16": ml_dtypes.bfloat16}


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_in_range_it_rounds_as_the_precision_does(dtype, wide) -> None:
    values = np.random.default_rng(0).uniform(-1000, 1000, 1000).astype(wide)
    kept = split(values, dtype)
    assert kept.dtype == wide
    expected = values.astype(LOW[dtype]).astype(wide)
    np.testing.assert_array_equal(kept, expected)


@given(st.floats(min_value=1e-35, max_value=1e30), st.sampled_from([1, -1]))
def test_numbers_of_any_size_keep_their_digits(size: float, sign: int) -> None:
    number = np.float32([sign * size])
    assert abs(split(number, "fp16")[0] / number[0] - 1) <= 2.0**-11


def test_what_is_not_finite_or_too_large_stays() -> None:
    odd = np.float32([np.inf, -np.inf, np.nan, 0.0, np.finfo(np.float32).min])
    np.testing.assert_array_equal(split(odd, "fp16"), odd)


@pytest.mark.parametrize("opset", [8, 13])
def test_a_model_computes_the_same(opset: int) -> None:
    """1e-12 would vanish in FP16, and 1e6 overflow: the graph keeps both, and the digits of the weight go."""
    w = np.float32([1e-12, 1e6, 1.0002, -3e30])
    model = model_of(
        [node("Mul", ["x", "w"], ["y"], "mul")],
        [value("x", [4])],
        [value("y", [4])],
        [weight("w", w)],
        opset=opset,
    )
    low = rounded(model, ["mul"], "fp16", any_size=True).model
    onnx.checker.check_model(low, full_check=True)
    session = onnxruntime.InferenceSession(low.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.float32([1.0001, 3.00001, 1, 1])
    [y] = session.run(None, {"x": x})
    np.testing.assert_array_equal(y, split(split(x, "fp16") * split(w, "fp16"), "fp16"))


@pytest.mark.parametrize(("opset", "kept"), [(8, False), (13, True)])
def test_infinity_stays_where_the_opset_can_tell(opset: int, kept: bool) -> None:
    model = model_of([node("Neg", ["x"], ["y"], "neg")], [value("x", [1])], [value("y", [1])], opset=opset)
    low = rounded(model, ["neg"], "fp16", any_size=True).model
    session = onnxruntime.InferenceSession(low.SerializeToString(), providers=["CPUExecutionProvider"])
    [y] = session.run(None, {"x": np.float32([np.inf])})
    assert np.isneginf(y[0]) == kept
    assert np.isnan(y[0]) != kept
