"""From a parsed network to an engine: as asked, and where TensorRT cannot, with the least relaxed that it can."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.blame import blamed_node
from trtdebug.backends.tensorrt.calibration import calibrator
from trtdebug.backends.tensorrt.config import create_config
from trtdebug.backends.tensorrt.constraints import Constraints, OutOfGpuMemory, build_constrained
from trtdebug.backends.tensorrt.logger import LogSink, clean
from trtdebug.backends.tensorrt.network import ParsedNetwork
from trtdebug.backends.tensorrt.outputs import convert_bool_outputs
from trtdebug.backends.tensorrt.plan import BuildPlan
from trtdebug.backends.tensorrt.timed_build import TimedBuild
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.gpu_memory import OUT_OF_GPU_MEMORY


@dataclass(frozen=True)
class NetworkBuilder:
    """Builds one network, as often as it takes.

    Attributes:
        log: where TensorRT's messages go.
        layer_nodes: ONNX node by network layer name.
        timing_cache: to read and to update; None = every tactic is timed anew.
    """

    plan: BuildPlan
    parsed: ParsedNetwork
    log: LogSink
    layer_nodes: Mapping[str, str]
    timing_cache: TimingCacheFile | None

    def build(self, constrained: Mapping[str, int]) -> tuple[Any, tuple[str, ...]]:
        """The trt.ICudaEngine, and one line for each thing that had to be relaxed.

        Args:
            constrained: index by name of the layers that have a precision set.

        Raises:
            BuildFailure: TensorRT does not build it; names the node that it blames.
        """
        engine, notes = self._converting(constrained)
        return engine, tuple(note for note in (*notes, self._timed.note) if note)

    def _converting(self, constrained: Mapping[str, int]) -> tuple[Any, tuple[str, ...]]:
        """Builds; where that fails, with boolean outputs given out as INT32, on versions that may fail of them."""
        try:
            return self._relaxing(constrained)
        except OutOfGpuMemory:
            raise
        except BuildFailure as failure:
            plain = failure
        converted = () if compat.has("BOOL_OUTPUTS") else convert_bool_outputs(self.parsed.network)
        if not converted:
            raise plain
        try:
            engine, notes = self._relaxing(constrained)
        except OutOfGpuMemory:
            raise
        except BuildFailure:
            raise plain from None
        return engine, (*notes, f"{', '.join(converted)}: boolean, given out as INT32 ({plain.message})")

    def _relaxing(self, constrained: Mapping[str, int]) -> tuple[Any, tuple[str, ...]]:
        if not constrained:
            return self._once(None), ()
        engine, note = build_constrained(self._once, lambda: self.log.errors, constrained, self._free)
        return engine, (note,)

    def _once(self, constraints: Constraints | None) -> Any:
        return self._timed.build(lambda timings: self._attempt(constraints, timings))

    def _attempt(self, constraints: Constraints | None, timings: bytes) -> Any:
        from polygraphy.backend.trt import engine_bytes_from_network, engine_from_bytes
        from polygraphy.exception import PolygraphyException

        self.log.errors.clear()
        builder, network = self.parsed.builder, self.parsed.network
        try:
            config = create_config(self.plan, builder, network, timings, constraints, self._calibrator)
            serialised = engine_bytes_from_network((builder, network), config=config)
            self._timed.keep(config)
            return engine_from_bytes(serialised)
        except PolygraphyException as error:
            raise self._failure(" ".join(str(error).split())) from error

    def _failure(self, told: str) -> BuildFailure:
        """What TensorRT's errors say of a build that failed; `told` where there are none."""
        memory = next(filter(OUT_OF_GPU_MEMORY.search, self.log.errors), "")
        said = clean(memory) or self._refused_cache() or self.log.first_error() or told
        kind = OutOfGpuMemory if memory else BuildFailure
        return kind(
            f"TensorRT does not build it: {said}", node=blamed_node(self.log.errors, self.layer_nodes)
        )

    @cached_property
    def _timed(self) -> TimedBuild:
        return TimedBuild(self.timing_cache)

    @cached_property
    def _calibrator(self) -> Any:
        return calibrator(self.plan.calibration) if self.plan.calibration is not None else None

    def _refused_cache(self) -> str:
        cache = self.plan.calibration
        if cache is None or not self._calibrator.asked_for_data:
            return ""
        return (
            f"it does not take the calibration cache {cache.path} ({cache.kind}, made by TensorRT {cache.version}) and "
            "asks for data to calibrate with."
        )

    def _free(self, layers: Collection[int]) -> None:
        for index in layers:
            layer = self.parsed.network.get_layer(index)
            layer.reset_precision()
            for output in range(layer.num_outputs):
                layer.reset_output_type(output)
