"""What each quantised layer loses, and what that does to the model's outputs: one session, a run a layer."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx

from trtdebug.graph.view import GraphView
from trtdebug.plugins.types import Sample, Tensor
from trtdebug_quant.floating import switched
from trtdebug_quant.layers import Layer, find_layers
from trtdebug_quant.original import Original
from trtdebug_quant.runner import Runner
from trtdebug_quant.sqnr import Sqnr

_TOGETHER = 16
"""Layers whose float values are held at once."""
_SAME_DB = 40.0
"""With no layer quantised, the model's outputs have to be those of the float model this well, else its weights are not
the ones that were quantised."""


@dataclass
class Loss:
    """What one layer loses where it alone is quantised: all before it is float.

    Attributes:
        result: SQNR of what it computes.
        operands: by name, SQNR of what is quantised for it. A weight whose float values are not known is not there.
        outputs: by name, SQNR of the model's float outputs.
    """

    layer: Layer
    result: Sqnr = field(default_factory=Sqnr)
    operands: dict[str, Sqnr] = field(default_factory=dict)
    outputs: dict[str, Sqnr] = field(default_factory=dict)

    @property
    def order(self) -> tuple[float, float]:
        """Sorts the layer first that hurts the outputs most; of equal ones the one that loses most."""
        return worst(self.outputs), self.result.db


@dataclass(frozen=True)
class Measured:
    """All layers, the worst first.

    Attributes:
        outputs: by name, SQNR of the float outputs with all layers quantised.
        samples: how many.
        original: the float model whose weights count; None where there is none, or where it does not fit. Then weights
            that stand as integers count as right, whatever was lost when they were rounded.
        misfit: why the float model that was given does not fit; else empty.
    """

    losses: tuple[Loss, ...]
    outputs: dict[str, Sqnr]
    samples: int
    original: Original | None
    misfit: str = ""


def worst(values: Mapping[str, Sqnr]) -> float:
    """The lowest of them in dB; inf where there are none."""
    return min((sqnr.db for sqnr in values.values()), default=math.inf)


def measure(
    view: GraphView, samples: Iterable[Sample], float_model: onnx.ModelProto | None = None
) -> Measured:
    """Measures every layer of a Q/DQ model on these samples, of which there is at least one.

    Args:
        float_model: what it was made from, nodes named as there.

    Raises:
        UserError: onnxruntime does not load or run one of the models.
    """
    feeds = list(samples)
    original = Original.of(float_model) if float_model is not None else None
    bench = _Bench(view, original)
    misfit = _misfit(bench, float_model, feeds[0]) if float_model is not None else ""
    if misfit:
        original, bench = None, _Bench(view, None)
    losses = {layer.node: Loss(layer) for layer in bench.layers}
    whole: dict[str, Sqnr] = {}
    for feed in feeds:
        _add(whole, bench.run(feed, (), bench.ends), bench.run(feed, losses, bench.ends))
        for start in range(0, len(bench.layers), _TOGETHER):
            _measure_some(bench, feed, [losses[x.node] for x in bench.layers[start : start + _TOGETHER]])
    ordered = tuple(sorted(losses.values(), key=lambda loss: loss.order))
    return Measured(ordered, whole, len(feeds), original, misfit)


class _Bench:
    """The switched model in a session.

    Attributes:
        ends: the model's float outputs.
    """

    def __init__(self, view: GraphView, original: Original | None) -> None:
        self.layers = find_layers(view)
        self.switched = switched(view, self.layers, original)
        self.ends = [t for t in view.index.outputs if (view.dtype(t) or "float32").startswith("float")]
        self._runner = Runner(self.switched.model)

    def run(self, feed: Sample, on: Collection[str], names: Iterable[str]) -> dict[str, Tensor]:
        """These tensors with these layers quantised and no others."""
        switches = {switch: np.array(layer in on) for layer, switch in self.switched.switches.items()}
        return self._runner.run({**feed, **switches}, names)

    def tensors(self, layer: str) -> list[str]:
        return [self.switched.results[layer], *self.switched.operands[layer].values()]


def _measure_some(bench: _Bench, feed: Sample, losses: Sequence[Loss]) -> None:
    names = [tensor for loss in losses for tensor in bench.tensors(loss.layer.node)]
    floats = bench.run(feed, (), [*names, *bench.ends])
    for loss in losses:
        node = loss.layer.node
        found = bench.run(feed, (node,), [*bench.tensors(node), *bench.ends])
        result = bench.switched.results[node]
        loss.result.add(floats[result], found[result])
        for name, tensor in bench.switched.operands[node].items():
            loss.operands.setdefault(name, Sqnr()).add(floats[tensor], found[tensor])
        _add(loss.outputs, {end: floats[end] for end in bench.ends}, found)


def _add(to: dict[str, Sqnr], floats: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for name, value in floats.items():
        to.setdefault(name, Sqnr()).add(value, found[name])


def _misfit(bench: _Bench, float_model: onnx.ModelProto, feed: Sample) -> str:
    """Why the float model is not the one that was quantised; empty where it is."""
    names = [v.name for v in float_model.graph.output if v.name in bench.ends]
    if not names:
        return "the float model has none of its float outputs"
    own = Runner(float_model).run({n: feed[n] for n in _inputs(float_model) if n in feed}, names)
    same: dict[str, Sqnr] = {}
    _add(same, own, bench.run(feed, (), names))
    if worst(same) >= _SAME_DB:
        return ""
    return f"with no layer quantised the outputs are not those of the float model (SQNR {worst(same):.1f} dB)"


def _inputs(model: onnx.ModelProto) -> list[str]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in constants]
