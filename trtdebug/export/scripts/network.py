"""TensorRT's network of a model, with what a fix changes in it."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from trtdebug.backends.tensorrt.constraints import OutOfGpuMemory
from trtdebug.backends.tensorrt.layer_flags import PinnedLayer
from trtdebug.backends.tensorrt.layers import owners, read_layers
from trtdebug.backends.tensorrt.outputs import mark_tensors
from trtdebug.backends.tensorrt.precision import PrecisionPlan, apply_precision, plan_precision
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.gpu_memory import OUT_OF_GPU_MEMORY
from trtdebug.export.scripts.order import Order
from trtdebug.scripts.plugin_libraries import load_plugins
from trtdebug.scripts.versions import before_10


class Log:
    """What TensorRT says. `errors` are those of the last attempt; `logger` is a trt.ILogger."""

    def __init__(self, trt: Any, verbose: bool) -> None:
        errors = self.errors = list[str]()

        class Logger(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)  # without it TensorRT raises a TypeError

            def log(self, severity: Any, message: str) -> None:
                if severity.name in ("ERROR", "INTERNAL_ERROR"):
                    errors.append(message)
                if verbose and severity.name != "VERBOSE":
                    print(f"[{severity.name}] {message}", file=sys.stderr)

        self.logger = Logger()

    def failure(self, told: str) -> BuildFailure:
        """The failure that the errors tell of."""
        memory = next(filter(OUT_OF_GPU_MEMORY.search, self.errors), "")
        said = " ".join((memory or next(iter(self.errors), "it does not say why")).split())
        return (OutOfGpuMemory if memory else BuildFailure)(f"{told}: {said}")


class Network:
    """The parsed model, with what the fix changes in it. `kept`: what TensorRT calls back while it builds."""

    def __init__(self, trt: Any, order: Order, log: Log) -> None:
        self.trt, self.order, self.log = trt, order, log
        load_plugins(trt, log.logger, order.plugins)
        try:
            self.builder = trt.Builder(log.logger)
        except TypeError:  # what pybind makes of a builder that cannot be had
            raise log.failure("TensorRT makes no builder here (is there a GPU and its driver?)") from None
        kinds = trt.NetworkDefinitionCreationFlag
        wanted = ["EXPLICIT_BATCH", *(["STRONGLY_TYPED"] if order.strong else [])]
        flags = sum(1 << int(getattr(kinds, name)) for name in wanted if hasattr(kinds, name))
        self.network = self.builder.create_network(flags)
        self.parser = trt.OnnxParser(self.network, log.logger)
        if not self.parser.parse_from_file(str(order.model)):
            told = [str(self.parser.get_error(i).desc()) for i in range(self.parser.num_errors)]
            raise BuildFailure(f"TensorRT's parser refuses {order.model}: {'; '.join(told)}")
        self.layers = read_layers(self.network)
        self.plan = PrecisionPlan()
        self.kept: list[Any] = []

    def mark(self) -> None:
        """Makes outputs of the tensors that the fix wants as such. Raises `UserError` where one cannot be."""
        wanted, native = self.order.wanted.marks, not before_10(self.trt)
        skipped = mark_tensors(self.network, self.layers, wanted, native)
        for tensor, reason in skipped.items():
            if tensor in self.order.options.get(
                "marks", ()
            ):  # the user's own: the session went on without it
                continue
            raise UserError(
                f"{tensor!r}, which the fix makes an output of the engine, cannot be one: {reason}."
            )

    def pin(self) -> None:
        """Sets the precision of the layers of the pinned nodes. Raises `UserError` where none is left to set."""
        wanted = self.order.wanted
        if self.order.strong or not (wanted.pins or wanted.forced):
            return
        asked = dict(wanted.pins)
        if wanted.forced:
            asked |= {
                n: wanted.forced for n, op in self.order.nodes.items() if n not in asked and op != "Constant"
            }
        self.plan = plan_precision(
            self.layers, owners(self.layers, self.order.nodes), self.order.nodes, asked
        )
        if not self.plan.assignments:
            raise UserError("none of the pinned nodes has a layer in TensorRT whose precision can be set.")
        apply_precision(self.network, self.plan.assignments)

    @property
    def pinned(self) -> tuple[PinnedLayer, ...]:
        """The layers whose precision is set, in their order."""
        named = {a.layer: a for a in self.plan.assignments}
        return tuple(
            PinnedLayer(layer.name, named[layer.index].dtype, len(layer.outputs))
            for layer in self.layers
            if layer.index in named
        )

    @property
    def quantised(self) -> bool:
        return any(layer.type in ("QUANTIZE", "DEQUANTIZE") for layer in self.layers)

    def free(self, indices: Collection[int]) -> None:
        """Takes the set precision from these layers."""
        for index in indices:
            layer = self.network.get_layer(index)
            layer.reset_precision()
            for output in range(layer.num_outputs):
                layer.reset_output_type(output)
