"""How long each layer of an engine takes, measured by TensorRT itself."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trtdebug.backends.base import Tensor
from trtdebug.backends.tensorrt.nvtx import marked
from trtdebug.backends.tensorrt.values import numpy_type
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import LayerInfo

_WARM_UP = 3  # inferences that are not counted: clocks rise, kernels are loaded lazily


def measure(context: Any, infer: Callable[[], object], runs: int) -> list[dict[str, float]]:
    """Milliseconds by layer name of each of `runs` inferences on a trt.IExecutionContext.

    The context keeps the profiler, which makes each of its later inferences synchronous: measure last.
    """
    import tensorrt as trt

    class Profiler(trt.IProfiler):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)  # without it TensorRT raises a TypeError
            self.times: dict[str, float] = {}

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            # A layer in a loop reports once each time round.
            self.times[layer_name] = self.times.get(layer_name, 0.0) + ms

    profiler = Profiler()
    context.profiler = profiler
    found = []
    for run in range(_WARM_UP + runs):
        profiler.times = {}
        with marked(f"trtdebug inference {run - _WARM_UP}" if run >= _WARM_UP else "trtdebug warm-up"):
            infer()
        found.append(profiler.times)
    return found[_WARM_UP:]


def timed(layers: Sequence[LayerInfo], runs: Sequence[Mapping[str, float]]) -> tuple[LayerInfo, ...]:
    """The layers with the median of their times; one that did not report in a run took 0 in it.

    Of several layers with one name the first gets the time. What reported a time and is no layer of the
    inspector's stands at the end: no time is lost.
    """
    names = dict.fromkeys(name for run in runs for name in run)
    medians = {name: statistics.median(run.get(name, 0.0) for run in runs) for name in names}
    known = [replace(layer, milliseconds=medians.pop(layer.name, None)) for layer in layers]
    return (*known, *(LayerInfo(name, milliseconds=ms) for name, ms in medians.items()))


def made_up_feeds(engine: Any) -> dict[str, Tensor]:
    """Inputs for an engine that comes without any: shapes its profile is tuned for, floats in 0..1, integers 0.

    Raises:
        BuildFailure: an input is of a type or kind for which nothing can be made up.
    """
    import tensorrt as trt

    random = np.random.default_rng(0)
    feeds: dict[str, Tensor] = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        if engine.get_tensor_mode(name) != trt.TensorIOMode.INPUT:
            continue
        kind = engine.get_tensor_dtype(name).name
        dtype = numpy_type(kind)
        if engine.is_shape_inference_io(name) or dtype is None:
            raise BuildFailure(
                f"no value can be made up for input {name!r}, which "
                + ("holds a shape." if engine.is_shape_inference_io(name) else f"is of type {kind}."),
                "Time it by `trtdebug compare MODEL --engine FILE --inputs ... --profile`.",
            )
        shape = tuple(engine.get_tensor_shape(name))
        if -1 in shape:
            shape = tuple(engine.get_tensor_profile_shape(name, 0)[1])
        feeds[name] = random.random(shape).astype(dtype) if dtype.kind == "f" else np.zeros(shape, dtype)
    return feeds
