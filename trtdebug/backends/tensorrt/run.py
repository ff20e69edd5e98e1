"""A built TensorRT engine: runs it by Polygraphy's runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from trtdebug.backends.base import Feeds, Tensor
from trtdebug.backends.tensorrt.config import fed_name
from trtdebug.backends.tensorrt.events import EventTimer
from trtdebug.backends.tensorrt.logger import collected, quiet_polygraphy
from trtdebug.backends.tensorrt.profile import made_up_feeds, measure, timed
from trtdebug.backends.tensorrt.values import fitted, from_bytes, numpy_type, restored
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo, LayerInfo

_LONG_ENOUGH = 2.0
"""Milliseconds of inferences beside which the start of the first one is small."""
_MOST_AT_ONCE = 20


class TensorrtEngine:
    """A deserialised engine with an execution context.

    Args:
        engine: trt.ICudaEngine.
        outputs: tensors to return, those that the engine has.
        dtypes: numpy dtype name by ONNX tensor: outputs are given back in it where nothing is lost.
        values: smallest and largest values of inputs that hold shapes, where they are known.

    Raises:
        BuildFailure: the GPU has no memory left for the context.
    """

    def __init__(
        self,
        engine: Any,
        outputs: tuple[str, ...],
        dtypes: Mapping[str, str],
        info: EngineInfo,
        values: Mapping[str, Profile] | None = None,
    ) -> None:
        from polygraphy.backend.trt import TrtRunner

        self._outputs = outputs
        self._dtypes = dtypes
        self._info = info
        self._inputs = _inputs(engine, values or {})
        self._types = {name: _type(engine, name) for name in outputs}
        self._fed: Mapping[str, Tensor] = {}
        self._timer: EventTimer | None = None
        self._engine = engine
        self._runner = TrtRunner(engine, name="trtdebug")
        _guarded(self._runner.activate, "TensorRT makes no execution context")

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        """Runs once. Outputs come in the model's types: INT32 of TensorRT 8 as INT64 where the model says so.

        Raises:
            BuildFailure: an input is missing or does not fit in type, shape or range; or the GPU fails.
        """
        # The runner tells TensorRT of an input only where its address has changed, and a new array may lie where the
        # last one lay: a shape's new values would go unnoticed. So the last feeds live until the new ones are made.
        taken = {name: wanted.taken(feeds) for name, wanted in self._inputs.items()}
        self._fed = taken
        # Bytes, since the runner knows no numpy type for BF16.
        infer = partial(self._runner.infer, taken, check_inputs=False, return_raw_buffers=True)
        results = _guarded(infer, "TensorRT cannot run the engine")
        return {name: self._given(name, results[name]) for name in self._outputs}

    def _given(self, name: str, result: Any) -> Tensor:
        value = from_bytes(result.array, self._types[name], result.shape)
        return restored(value, self._dtypes.get(name))

    def info(self) -> EngineInfo:
        return self._info

    def note(self, text: str) -> None:
        """Adds a line to what the caller should know of the build."""
        self._info = replace(self._info, notes=(*self._info.notes, text))

    def stopwatch(self, feeds: Feeds) -> Callable[[], float]:
        """Each call gives the milliseconds of an inference on the GPU: the mean of some that follow each other.

        So many of them that the host's work before the first one does not count, where they are short.

        Raises:
            BuildFailure: as `run`; the result raises it where the GPU fails.
        """
        self.run(feeds)  # from now on shapes are set, and tensors have their places
        timer = self._timer = self._timer or _guarded(EventTimer, "CUDA makes no events")
        context, stream = self._runner.context, self._runner.stream.ptr

        def mean(inferences: int) -> float:
            def enqueue() -> None:
                if not all(context.execute_async_v3(stream) for _ in range(inferences)):
                    raise BuildFailure("TensorRT cannot run the engine.")

            taken = _guarded(lambda: timer.milliseconds(stream, enqueue), "TensorRT cannot run the engine")
            return float(taken) / inferences

        count = max(1, min(_MOST_AT_ONCE, round(_LONG_ENOUGH / max(mean(1), 1e-3))))
        return lambda: mean(count)

    def profile(self, feeds: Feeds, runs: int) -> tuple[LayerInfo, ...]:
        """The layers with their median time over `runs` inferences; inputs that are not given are made up.

        Raises:
            BuildFailure: as `run`, or no value can be made up for an input.
        """
        given = feeds if feeds else made_up_feeds(self._engine)
        return timed(self._info.layers, measure(self._runner.context, lambda: self.run(given), runs))

    def close(self) -> None:
        with quiet_polygraphy():
            if self._timer is not None:
                self._timer.free()
            # The runner drops its output buffers without freeing them.
            for buffer in self._runner.output_allocator.buffers.values():
                buffer.free()
            self._runner.deactivate()
        del self._runner, self._engine


@dataclass(frozen=True)
class EngineInput:
    """What an engine takes for one of its inputs.

    Attributes:
        low, high: smallest and largest shape.
        holds_shape: TensorRT reads its values on the host.
        values: smallest and largest values of an input that holds a shape; None = any, or not known.
    """

    name: str
    dtype: np.dtype[Any]
    low: tuple[int, ...]
    high: tuple[int, ...]
    holds_shape: bool = False
    values: Profile | None = None

    def taken(self, feeds: Feeds) -> Tensor:
        """Its feed, in the engine's type; a copy where it holds a shape: its owner may change it in place.

        Raises:
            BuildFailure: there is none, or it does not fit.
        """
        fed = fed_name(self.name, feeds)
        if fed not in feeds:
            raise BuildFailure(f"the engine wants input {fed!r}, which is not given.")
        value = fitted(fed, np.asarray(feeds[fed]), self.dtype)
        if len(value.shape) != len(self.low) or not _between(value.shape, self.low, self.high):
            raise BuildFailure(
                f"input {fed!r} has shape {value.shape}; the engine takes {self.low} to {self.high}.",
                "Build with a profile that holds it.",
            )
        if self.values is not None and not _between(value.ravel(), self.values.min, self.values.max):
            raise BuildFailure(
                f"input {fed!r} holds the shape {value.tolist()}; the engine takes {list(self.values.min)} to "
                f"{list(self.values.max)}.",
                "Build with samples that hold such values.",
            )
        return value.copy() if self.holds_shape else value


def _between(sizes: Iterable[int], low: Iterable[int], high: Iterable[int]) -> bool:
    return all(least <= size <= most for size, least, most in zip(sizes, low, high, strict=True))


def _inputs(engine: Any, values: Mapping[str, Profile]) -> dict[str, EngineInput]:
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
        holds_shape = bool(engine.is_shape_inference_io(name))
        known = values.get(fed_name(name, values)) if holds_shape else None
        found[name] = EngineInput(name, _type(engine, name), low, high, holds_shape, known)
    return found


def _type(engine: Any, name: str) -> np.dtype[Any]:
    kind = engine.get_tensor_dtype(name).name
    dtype = numpy_type(kind)
    if dtype is None:
        raise BuildFailure(f"tensor {name!r} is of TensorRT type {kind}, which numpy does not have.")
    return dtype


def _guarded(action: Any, what: str) -> Any:
    """Calls `action`; what Polygraphy raises becomes a BuildFailure with TensorRT's own words."""
    from polygraphy.exception import PolygraphyException

    with quiet_polygraphy(), collected() as log:
        try:
            return action()
        except PolygraphyException as error:
            raise BuildFailure(f"{what}: {log.first_error() or ' '.join(str(error).split())}") from error
