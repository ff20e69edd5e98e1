"""Scales that are no usable numbers, and scales far from those of the other channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.graph.view import GraphView
from trtdebug_quant.pairs import Array, Pair
from trtdebug_quant.sides import Sides

VALUE, OUTLIER = "quant-scale-value", "quant-scale-outlier"
_FACTOR = 32.0
"""From the median of the channels: five of INT8's eight bits."""
_FEWEST = 4  # channels that have a median worth the name
_LISTED = 4
_NOT_REACHED = "Calibrate again with inputs that reach this tensor, or leave the layer in float."
_SAW_INFINITY = (
    "Calibration saw an infinite value, as in a mask of -Inf: leave the layer in float, or mask with a finite number "
    "and calibrate again."
)
_REFUSED = "TensorRT's parser takes positive ones only"


def find_bad_scales(models: Sides) -> Iterator[Finding]:
    """`quant-scale-value` (error) and `quant-scale-outlier` (warning; info where the weights explain it)."""
    seen: set[str] = set()
    for pair in models.pairs:
        scale = models.quantised.index.node(pair.dequantize).inputs[1]
        if pair.scale is not None and scale not in seen:
            seen.add(scale)
            half = models.quantised.dtype(scale) == "float16"
            smallest = float(np.finfo(np.float16 if half else np.float32).smallest_normal)
            yield from _values(pair, pair.scale.reshape(-1), smallest)
            yield from _outliers(models.quantised, pair, pair.scale.reshape(-1), smallest)


def _values(pair: Pair, scales: Array, smallest: float) -> Iterator[Finding]:
    if scales.size == 1 and not scales[0] > 0:
        return  # the core's `quantise-scale` says so
    kinds = {
        "NaN": (np.isnan(scales), _REFUSED),
        "negative": ((scales < 0) & np.isfinite(scales), _REFUSED),
        "0": (scales == 0, _REFUSED),
        "infinite": (np.isinf(scales), "what is quantised becomes 0 times infinity"),
        "denormal": ((scales > 0) & (scales < smallest), "all values end at the range's ends"),
    }
    for what, (where, so) in kinds.items():
        if where.any():
            yield Finding(
                VALUE,
                "error",
                f"{_whose(pair, where)} {what}: {so}.",
                pair.dequantize,
                _SAW_INFINITY if what == "infinite" else _NOT_REACHED,
            )


def _outliers(view: GraphView, pair: Pair, scales: Array, smallest: float) -> Iterator[Finding]:
    usable = np.isfinite(scales) & (scales >= smallest)
    if int(usable.sum()) < _FEWEST:
        return
    median = float(np.median(scales[usable]))
    far = usable & ((scales > _FACTOR * median) | (scales < median / _FACTOR))
    if not far.any():
        return
    used = _used(view, pair)
    explained = used is not None and bool((used[far] >= 0.5).all())
    most = float(np.max(np.maximum(scales[far] / median, median / scales[far])))
    why = "the weights there fill their range" if explained else "nothing in the weights explains it"
    yield Finding(
        OUTLIER,
        "info" if explained else "warning",
        f"{_whose(pair, far)} up to {most:.3g} times off the median of its {scales.size} channels; "
        f"{why if used is not None else 'whether the values there explain it is not known'}.",
        pair.dequantize,
        "" if explained else "Compare with the largest weight of the channel over 127, and calibrate again.",
    )


def _used(view: GraphView, pair: Pair) -> Array | None:
    """By channel, the largest integer of a weight as a share of the largest there is; None where it is not constant."""
    values, limits = view.value(pair.source), pair.limits
    if values is None or limits is None or pair.scale is None or not values.ndim:
        return None
    axis = pair.axis % values.ndim
    if values.shape[axis] != pair.channels:
        return None
    largest = np.abs(values.astype(np.float64)).max(axis=tuple(i for i in range(values.ndim) if i != axis))
    if pair.quantize is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            largest = largest / np.abs(pair.scale.reshape(-1))
    shares: Array = np.minimum(largest / limits[1], 1.0)
    return shares


def _whose(pair: Pair, where: Array) -> str:
    if where.size == 1:
        return f"the scale of {pair.dequantize!r} ({pair.source!r}) is"
    channels = np.flatnonzero(where)
    listed = ", ".join(str(i) for i in channels[:_LISTED])
    more = f" and {channels.size - _LISTED} more" if channels.size > _LISTED else ""
    return f"scales of {pair.dequantize!r} ({pair.source!r}) at channel {listed}{more} are"
