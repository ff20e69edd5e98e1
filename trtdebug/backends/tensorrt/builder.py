"""From a parsed network to an engine: as asked, and where TensorRT cannot, with the least relaxed that it can."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.blame import blamed_node
from trtdebug.backends.tensorrt.calibration import calibrator
from trtdebug.backends.tensorrt.complaints import builder_error
from trtdebug.backends.tensorrt.config import create_config
from trtdebug.backends.tensorrt.constraints import Constraints, OutOfGpuMemory, build_constrained
from trtdebug.backends.tensorrt.editable_cache import EditableCache
from trtdebug.backends.tensorrt.logger import LogSink, clean
from trtdebug.backends.tensorrt.network import ParsedNetwork
from trtdebug.backends.tensorrt.outputs import convert_bool_outputs
from trtdebug.backends.tensorrt.plan import BuildPlan
from trtdebug.backends.tensorrt.selector import make_selector
from trtdebug.backends.tensorrt.tactics import TacticChoice
from trtdebug.backends.tensorrt.timed_build import RefusedTimings, TimedBuild, Timings
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile, is_of_timing_cache
from trtdebug.core.errors import BuildFailure
from trtdebug.core.gpu_memory import OUT_OF_GPU_MEMORY


@dataclass(frozen=True)
class NetworkBuilder:
    """Builds one network, as often as it takes.

    Attributes:
        log: where TensorRT's messages go.
        layer_nodes: ONNX node by network layer name.
        timing_cache: to read and to update; None = every tactic is timed anew.
        engine_file: where to write the serialized engine; None = nowhere.
        choosing: tactics are chosen by it; None = by TensorRT alone.
        editable: tactics are said in its timing cache; None = by TensorRT alone.
    """

    plan: BuildPlan
    parsed: ParsedNetwork
    log: LogSink
    layer_nodes: Mapping[str, str]
    timing_cache: TimingCacheFile | None
    engine_file: Path | None = None
    choosing: TacticChoice | None = None
    editable: EditableCache | None = None

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
        engine, note = build_constrained(self._once, self._errors, constrained, self._free)
        return engine, (note,)

    def _once(self, constraints: Constraints | None) -> Any:
        return self._timed.build(lambda timings: self._attempt(constraints, timings))

    def _attempt(self, constraints: Constraints | None, timings: Timings) -> Any:
        from polygraphy.backend.trt import engine_from_bytes
        from polygraphy.exception import PolygraphyException

        self.log.errors.clear()
        builder, network = self.parsed.builder, self.parsed.network
        try:
            config = create_config(
                self.plan,
                builder,
                network,
                timings.content,
                constraints,
                self._calibrator,
                self._selector(),
            )
            serialised = self._serialised(config)
            self._check_choices()
            timings.keep(config)
            if self.engine_file is not None:
                self.engine_file.parent.mkdir(parents=True, exist_ok=True)
                self.engine_file.write_bytes(serialised)
            return engine_from_bytes(serialised)
        except PolygraphyException as error:
            self._check_choices()  # says more than TensorRT does of what comes of it
            raise self._failure(" ".join(str(error).split())) from error

    def _serialised(self, config: Any) -> Any:
        from polygraphy.backend.trt import engine_bytes_from_network

        def once() -> Any:
            return engine_bytes_from_network((self.parsed.builder, self.parsed.network), config=config)

        return once() if self.editable is None else self.editable.build(config, once)

    def _failure(self, told: str) -> BuildFailure:
        """What TensorRT's errors say of a build that failed; `told` where there are none."""
        errors = self._errors()
        memory = next(filter(OUT_OF_GPU_MEMORY.search, errors), "")
        said = (
            clean(memory)
            or self._refused_cache()
            or clean(next(iter(errors), ""))
            or self.log.first_error()
            or told
        )
        kind = OutOfGpuMemory if memory else BuildFailure if errors or not self.log.errors else RefusedTimings
        error = builder_error(said, self.layer_nodes)
        blamed = blamed_node(errors, self.layer_nodes)
        return kind(
            f"TensorRT does not build it{self._edited()}: {said}",
            node=blamed,
            errors=(replace(error, node=blamed),),
        )

    def _errors(self) -> list[str]:
        """What TensorRT complained of in the last attempt, but for its timing cache."""
        return [message for message in self.log.errors if not is_of_timing_cache(message)]

    def _edited(self) -> str:
        told = self.editable.told if self.editable is not None else ""
        return f" with {told} in its timing cache" if told else ""

    def _selector(self) -> Any:
        if self.choosing is None:
            return None
        self.choosing.begin()
        return make_selector(self.choosing)

    def _check_choices(self) -> None:
        if self.choosing is not None:
            self.choosing.check()

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
