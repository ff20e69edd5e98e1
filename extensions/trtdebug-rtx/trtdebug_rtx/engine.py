"""Loads a serialized engine and runs it, on a GPU that TensorRT-RTX supports."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtdebug.backends.base import Feeds, Tensor
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo

_NUMPY = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "BOOL": "bool",
}


class BuiltEngine:
    """What was built, where it cannot run: `run` says why.

    Args:
        obstacle: why the engine does not load here.
    """

    def __init__(self, info: EngineInfo, obstacle: str) -> None:
        self._info = info
        self._obstacle = obstacle

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        raise BuildFailure(f"TensorRT-RTX built the engine, but cannot run it here: {self._obstacle}")

    def info(self) -> EngineInfo:
        return self._info

    def close(self) -> None:
        """There is nothing to free."""


class RunningEngine:
    """A loaded engine.

    Args:
        engine: ICudaEngine of tensorrt_rtx (or of tensorrt: the API is the same).
        outputs: tensors to return.

    Raises:
        BuildFailure: the GPU has no memory for the context, or a tensor is of a type that numpy does not have.
    """

    def __init__(self, engine: Any, outputs: tuple[str, ...], info: EngineInfo) -> None:
        self._engine = engine
        self._outputs = outputs
        self._info = info
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        self._types = {name: _numpy_type(name, engine.get_tensor_dtype(name).name) for name in names}
        self._inputs = [name for name in names if engine.get_tensor_mode(name).name == "INPUT"]
        self._context = engine.create_execution_context()
        if self._context is None:
            raise BuildFailure(
                "TensorRT-RTX makes no execution context: most often the GPU's memory is full."
            )

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        """Runs once.

        Raises:
            BuildFailure: the engine refuses these feeds, or has outputs whose shape depends on the data.
        """
        from polygraphy.cuda import DeviceArray, Stream

        buffers: dict[str, Any] = {}
        stream = Stream()
        try:
            for name in self._inputs:
                value = self._taken(name, feeds)
                if not self._context.set_input_shape(name, value.shape):
                    raise BuildFailure(
                        f"input {name!r} has shape {value.shape}, which the engine does not take."
                    )
                buffers[name] = DeviceArray(shape=_not_empty(value.shape), dtype=value.dtype)
                if value.size:
                    buffers[name].copy_from(value, stream)
            results = {}
            for name in (n for n in self._types if n not in self._inputs):
                shape = tuple(self._context.get_tensor_shape(name))
                if -1 in shape:
                    raise BuildFailure(
                        f"the shape of output {name!r} depends on the data, which is not supported."
                    )
                results[name] = np.empty(shape, self._types[name])
                buffers[name] = DeviceArray(shape=_not_empty(shape), dtype=self._types[name])
            for name, buffer in buffers.items():
                self._context.set_tensor_address(name, buffer.ptr)
            if not self._context.execute_async_v3(stream.ptr):
                raise BuildFailure("TensorRT-RTX cannot run the engine.")
            for name, value in results.items():
                if value.size:
                    buffers[name].copy_to(value, stream)
            stream.synchronize()
            return {name: results[name] for name in self._outputs}
        finally:
            for buffer in buffers.values():
                buffer.free()
            stream.free()

    def info(self) -> EngineInfo:
        return self._info

    def close(self) -> None:
        del self._context, self._engine

    def _taken(self, name: str, feeds: Feeds) -> Tensor:
        if name not in feeds:
            raise BuildFailure(f"the engine wants input {name!r}, which is not given.")
        value = np.asarray(feeds[name])
        if value.dtype != self._types[name]:
            raise BuildFailure(f"input {name!r} is {value.dtype}; the engine takes {self._types[name]}.")
        return np.ascontiguousarray(value).reshape(value.shape)


def _numpy_type(name: str, kind: str) -> np.dtype[Any]:
    if kind not in _NUMPY:
        raise BuildFailure(f"tensor {name!r} is of type {kind}, which numpy does not have.")
    return np.dtype(_NUMPY[kind])


def _not_empty(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape to allocate: TensorRT refuses the NULL that an empty tensor would get."""
    return shape if 0 not in shape else (1,)
