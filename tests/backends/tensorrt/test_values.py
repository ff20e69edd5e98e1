"""Arrays on their way into an engine and out of it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.values import fitted, from_bytes, numpy_type, restored
from trtdebug.core.errors import BuildFailure


def test_feeds_are_given_in_the_engines_type_or_refused() -> None:
    assert fitted("i", np.int64([1, -2]), np.dtype(np.int32)).dtype == np.int32
    assert fitted("i", np.int32([1, -2]), np.dtype(np.int64)).dtype == np.int64
    assert fitted("d", np.float64([1.5]), np.dtype(np.float32)).dtype == np.float32
    scalar = fitted("s", np.array(3, np.int64), np.dtype(np.int32))
    assert scalar.shape == ()
    assert fitted("e", np.zeros((0, 3), np.int64), np.dtype(np.int32)).shape == (0, 3)
    assert fitted("t", np.ones((2, 3), np.float32).T, np.dtype(np.float32)).flags.c_contiguous
    with pytest.raises(BuildFailure, match="'i' holds INT64 values that do not fit TensorRT's INT32"):
        fitted("i", np.int64([2**40]), np.dtype(np.int32))
    with pytest.raises(BuildFailure, match="'d' holds FLOAT64 values that do not fit TensorRT's FLOAT32"):
        fitted("d", np.float64([1e300]), np.dtype(np.float32))
    with pytest.raises(BuildFailure, match="'f' is float32; the engine takes int32"):
        fitted("f", np.float32([1]), np.dtype(np.int32))
    with pytest.raises(BuildFailure, match="'b' is bool; the engine takes int32"):
        fitted("b", np.array([True]), np.dtype(np.int32))


def test_bf16_comes_as_float32_or_as_itself() -> None:
    bf16 = numpy_type("BF16")
    assert bf16 == ml_dtypes.bfloat16
    for given in (np.float32([1.5, -2]), np.array([1.5, -2], ml_dtypes.bfloat16)):
        found = fitted("x", given, bf16)
        assert found.dtype == bf16
        np.testing.assert_array_equal(found.astype(np.float32), [1.5, -2])


@pytest.mark.parametrize("kind", sorted(compat.NUMPY_TYPE))
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_bytes_become_an_array_of_their_own(kind: str, shape: tuple[int, ...]) -> None:
    dtype = numpy_type(kind)
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    raw = np.frombuffer(values.tobytes(), np.uint8).copy()
    found = from_bytes(raw, dtype, list(shape))
    raw[:] = 255
    assert (found.dtype, found.shape) == (dtype, shape)
    np.testing.assert_array_equal(found.astype(np.float64), values.astype(np.float64))


def test_what_numpy_has_no_type_for_has_none() -> None:
    assert numpy_type("INT4") is None


@pytest.mark.parametrize(
    ("given", "model_type", "result"),
    [
        (np.int32, "int64", np.int64),
        (np.int32, "bool", np.bool_),
        (np.float32, "float64", np.float64),
        (np.int64, "int32", np.int64),
        (np.float32, "int64", np.float32),
        (np.float32, "bool", np.float32),
        (np.float32, "bfloat16", np.float32),
        (np.float32, "float8e4m3fn", np.float32),
        (np.float32, None, np.float32),
    ],
)
def test_outputs_come_back_in_the_models_type_where_nothing_is_lost(given, model_type, result) -> None:
    assert restored(np.ones(2, given), model_type).dtype == result
