"""A built TensorRT engine: runs it by Polygraphy's runner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from trtdebug.backends.base import Feeds, Tensor
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.logger import collected, quiet_polygraphy
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo


class TensorrtEngine:
    """A deserialised engine with an execution context.

    Args:
        engine: trt.ICudaEngine.
        outputs: tensors to return, those that the engine has.
        dtypes: numpy dtype name by ONNX tensor: outputs are given back in it where nothing is lost.

    Raises:
        BuildFailure: the GPU has no memory left for the context.
    """

    def __init__(
        self, engine: Any, outputs: tuple[str, ...], dtypes: Mapping[str, str], info: EngineInfo
    ) -> None:
        from polygraphy.backend.trt import TrtRunner

        self._outputs = outputs
        self._dtypes = dtypes
        self._info = info
        self._inputs = _inputs(engine)
        self._engine = engine
        self._runner = TrtRunner(engine, name="trtdebug")
        _guarded(self._runner.activate, "TensorRT makes no execution context")

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        """Runs once. Outputs come in the model's types: INT32 of TensorRT 8 as INT64 where the model says so.

        Raises:
            BuildFailure: an input is missing or does not fit in type, shape or range; or the GPU fails.
        """
        taken = {name: self._taken(name, feeds) for name in self._inputs}
        infer = partial(self._runner.infer, taken, check_inputs=False)
        results = _guarded(infer, "TensorRT cannot run the engine")
        # The runner keeps its host buffers for the next run: what is given out has to be a copy.
        return {name: restored(np.array(results[name]), self._dtypes.get(name)) for name in self._outputs}

    def info(self) -> EngineInfo:
        return self._info

    def close(self) -> None:
        with quiet_polygraphy():
            # The runner drops its output buffers without freeing them.
            for buffer in self._runner.output_allocator.buffers.values():
                buffer.free()
            self._runner.deactivate()
        del self._runner, self._engine

    def _taken(self, name: str, feeds: Feeds) -> Tensor:
        if name not in feeds:
            raise BuildFailure(f"the engine wants input {name!r}, which is not given.")
        dtype, low, high = self._inputs[name]
        value = fitted(name, np.asarray(feeds[name]), dtype)
        if len(value.shape) != len(low) or any(
            not least <= size <= most for size, least, most in zip(value.shape, low, high, strict=True)
        ):
            raise BuildFailure(
                f"input {name!r} has shape {value.shape}; the engine takes {low} to {high}.",
                "Build with a profile that holds it.",
            )
        return value


def _inputs(engine: Any) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], tuple[int, ...]]]:
    """Type, smallest and largest shape of each network input."""
    import tensorrt as trt

    found = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        if engine.get_tensor_mode(name) != trt.TensorIOMode.INPUT:
            continue
        low = high = tuple(engine.get_tensor_shape(name))
        if -1 in low:
            smallest, _, largest = engine.get_tensor_profile_shape(name, 0)
            low, high = tuple(smallest), tuple(largest)
        kind = engine.get_tensor_dtype(name).name
        if kind not in compat.NUMPY_TYPE:
            raise BuildFailure(f"input {name!r} is of TensorRT type {kind}, which numpy does not have.")
        found[name] = (np.dtype(compat.NUMPY_TYPE[kind]), low, high)
    return found


def fitted(name: str, value: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """`value` in the engine's type: INT64 as INT32 where it fits, DOUBLE as FLOAT, as TensorRT 8 wants them.

    Raises:
        BuildFailure: values do not fit, or the types are unlike.
    """
    if value.dtype == dtype:
        return np.ascontiguousarray(value).reshape(value.shape)
    if value.dtype == np.int64 and dtype == np.int32:
        narrow = np.ascontiguousarray(value, np.int32).reshape(value.shape)
        if not np.array_equal(narrow, value):
            raise BuildFailure(f"input {name!r} holds INT64 values that do not fit TensorRT's INT32.")
        return narrow
    if value.dtype == np.float64 and dtype == np.float32:
        return np.ascontiguousarray(value, np.float32).reshape(value.shape)
    raise BuildFailure(f"input {name!r} is {value.dtype}; the engine takes {dtype}.")


def restored(value: Tensor, dtype: str | None) -> Tensor:
    """`value` in the model's type, where the change is a lossless widening of its kind."""
    try:
        wanted = np.dtype(dtype) if dtype is not None else value.dtype
    except TypeError:  # bfloat16 and the like have no numpy type
        return value
    if wanted.kind == value.dtype.kind and np.can_cast(value.dtype, wanted, "safe"):
        return value.astype(wanted)
    return value


def _guarded(action: Any, what: str) -> Any:
    """Calls `action`; what Polygraphy raises becomes a BuildFailure with TensorRT's own words."""
    from polygraphy.exception import PolygraphyException

    with quiet_polygraphy(), collected() as log:
        try:
            return action()
        except PolygraphyException as error:
            raise BuildFailure(f"{what}: {log.first_error() or ' '.join(str(error).split())}") from error
