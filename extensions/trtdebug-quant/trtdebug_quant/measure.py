"""What each quantised layer loses, and what that does to the model's outputs: a run a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trtdebug.plugins.types import Sample, Tensor
from trtdebug_quant.bench import Bench
from trtdebug_quant.layers import Layer
from trtdebug_quant.sqnr import Sqnr, worst

_TOGETHER = 16
"""Layers whose float values are held at once."""


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
    """

    losses: tuple[Loss, ...]
    outputs: dict[str, Sqnr]
    samples: int


def measure(bench: Bench, samples: Sequence[Sample]) -> Measured:
    """Measures every layer. Raises `UserError` where the model does not run on a sample."""
    losses = {layer.node: Loss(layer) for layer in bench.layers}
    whole: dict[str, Sqnr] = {}
    for sample in samples:
        _add(whole, bench.run(sample, (), bench.ends), bench.run(sample, losses, bench.ends))
        for start in range(0, len(bench.layers), _TOGETHER):
            group = bench.layers[start : start + _TOGETHER]
            _measure_some(bench, sample, [losses[layer.node] for layer in group])
    ordered = tuple(sorted(losses.values(), key=lambda loss: loss.order))
    return Measured(ordered, whole, len(samples))


def _measure_some(bench: Bench, sample: Sample, losses: Sequence[Loss]) -> None:
    names = [tensor for loss in losses for tensor in bench.tensors(loss.layer.node)]
    floats = bench.run(sample, (), [*names, *bench.ends])
    for loss in losses:
        node = loss.layer.node
        found = bench.run(sample, (node,), [*bench.tensors(node), *bench.ends])
        result = bench.switched.results[node]
        loss.result.add(floats[result], found[result])
        for name, tensor in bench.switched.operands[node].items():
            loss.operands.setdefault(name, Sqnr()).add(floats[tensor], found[tensor])
        _add(loss.outputs, {end: floats[end] for end in bench.ends}, found)


def _add(to: dict[str, Sqnr], floats: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for name, value in floats.items():
        to.setdefault(name, Sqnr()).add(value, found[name])
