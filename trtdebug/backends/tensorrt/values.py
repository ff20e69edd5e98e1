"""Arrays between numpy and TensorRT: as an engine takes them, and as the model's reader expects them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from trtdebug.backends.base import Tensor
from trtdebug.backends.tensorrt import compat
from trtdebug.core.errors import BuildFailure


def numpy_type(kind: str) -> np.dtype[Any] | None:
    """numpy's (or ml_dtypes') type for a member name of trt.DataType; None where there is none."""
    name = compat.NUMPY_TYPE.get(kind)
    return np.dtype(getattr(ml_dtypes, name, name)) if name is not None else None


def fitted(name: str, value: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """`value` in the engine's type, contiguous: as it is, widened, or narrowed where TensorRT has no wide type.

    TensorRT 8 takes INT64 as INT32, every version DOUBLE as FLOAT. BF16 comes as float32, in which it is stored.

    Raises:
        BuildFailure: values do not fit, or the types are unlike.
    """
    narrowing = {("int64", "int32"), ("float64", "float32"), ("float32", "bfloat16")}
    if value.dtype == dtype or _widens(value.dtype, dtype):
        return np.ascontiguousarray(value, dtype).reshape(value.shape)
    if (value.dtype.name, dtype.name) not in narrowing:
        raise BuildFailure(f"input {name!r} is {value.dtype}; the engine takes {dtype}.")
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(value).astype(dtype).reshape(value.shape)
    if dtype.kind == "i":
        fits = np.array_equal(narrow, value)
    else:
        fits = bool(np.isfinite(narrow.astype(np.float64))[np.isfinite(value)].all())
    if not fits:
        raise BuildFailure(
            f"input {name!r} holds {value.dtype.name.upper()} values that do not fit TensorRT's "
            f"{dtype.name.upper()}."
        )
    return narrow


def _widens(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    return given.kind == wanted.kind and given.kind in "iuf" and np.can_cast(given, wanted, "safe")


def from_bytes(raw: NDArray[np.uint8], dtype: np.dtype[Any], shape: Sequence[int]) -> Tensor:
    """An array of its own from the bytes of a buffer that will be used again.

    Args:
        raw: flat; as many bytes as the array has.
        shape: of the array; may hold zeros, may be empty.
    """
    return np.array(raw.reshape(-1).view(dtype).reshape(tuple(shape)))


def restored(value: Tensor, dtype: str | None) -> Tensor:
    """`value` in the model's type, where the change is a lossless widening of its kind, or back to a boolean."""
    try:
        wanted = np.dtype(dtype) if dtype is not None else value.dtype
    except TypeError:  # float8e4m3fn and the like have no numpy type
        return value
    if wanted.kind == "b" and value.dtype.kind in "iu":
        return value.astype(np.bool_)
    if wanted.kind == value.dtype.kind and np.can_cast(value.dtype, wanted, "safe"):
        return value.astype(wanted)
    return value
