"""Values that a pair clips, and ranges that values do not fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.plugins.types import Tensor
from trtdebug_quant.pairs import Array, Pair, dequantised
from trtdebug_quant.sides import Sides
from trtdebug_quant.sqnr import Sqnr

CLIPS, WASTES, DIFFER = "quant-clips", "quant-wastes", "quant-weights-differ"
_CLIPPED = 0.01
"""Share of the values from which clipping is told; calibrators clip a few in a thousand on purpose."""
_TWO_BITS = 4.0
"""What costs less is not told: range over largest value, and error of clipping over that of rounding (RMS)."""
_SAME_DB = 15.0
"""SQNR below which a weight is another one: rounding to four bits leaves some 20 dB."""

_REAL = "Where these inputs are real ones (--inputs)"

Reference = Callable[[Iterable[str]], Mapping[str, Tensor]]


def find_bad_ranges(models: Sides, reference: Reference | None) -> Iterator[Finding]:
    """`quant-clips`, `quant-wastes` (on the sample's reference values and the weights) and `quant-weights-differ`.

    With a float model as reference, its values count; else those of the Q/DQ model itself.
    """
    shape = models.quantised.shape
    known = [p for p in models.pairs if p.scale is not None and p.zero is not None and p.limits]
    known = [p for p in known if p.fits(shape(p.source))]
    pairs: dict[str, Pair] = {}
    for pair in known:
        pairs.setdefault(pair.source, pair)  # a tensor that is quantised twice is judged once
    spoiled = models.original is None and not all(map(_is_usable, known))  # whatever is behind is wrong, too
    names = {} if spoiled else {source: n for source, p in pairs.items() if (n := _reference_name(models, p))}
    found = reference(sorted(set(names.values()))) if reference is not None and names else {}
    for source, pair in pairs.items():
        values = models.weight(pair) if pair.constant else found.get(names.get(source, ""))
        told = list(_judge(pair, np.asarray(values))) if values is not None else []
        yield from told
        if values is not None and pair.constant and pair.quantize is None and not told:
            yield from _compared(models, pair, values)
        elif values is None and pair.constant:
            yield from _stored(models, pair)


def _judge(pair: Pair, values: Array) -> Iterator[Finding]:
    if not values.size or not np.isfinite(values).all() or not _is_usable(pair):
        return
    low, high = _range(pair, values.ndim)
    step = (high - low) / _steps(pair)
    over, under = values - high, (low - values) * (not pair.rectifies)
    share = float(np.mean(np.maximum(over, under) > step / 2.0))
    clipped = np.maximum(np.maximum(over, under), 0.0)
    what = "weights" if pair.constant else "values"
    if share > _CLIPPED and np.mean(clipped**2) > _TWO_BITS**2 * np.mean(step**2) / 12.0:
        yield Finding(
            CLIPS,
            "warning",
            f"{pair.source!r} loses {share:.1%} of its {what} beyond [{np.min(low):.3g}, {np.max(high):.3g}], the "
            f"range of {pair.dequantize!r}; they reach from {values.min():.3g} to {values.max():.3g}.",
            pair.dequantize,
            "The scale is too small: quantise the weights anew."
            if pair.constant
            else f"{_REAL}, the scale is too small: calibrate with them, or leave the layer in float.",
        )
        return
    yield from _waste(pair, values, what)


def _compared(models: Sides, pair: Pair, floats: Array) -> Iterator[Finding]:
    """Stored integers against the float model's weights."""
    sqnr = Sqnr()
    sqnr.add(floats, dequantised(models.quantised, pair))
    if sqnr.db < _SAME_DB:
        yield Finding(
            DIFFER,
            "warning",
            f"what {pair.dequantize!r} makes of {pair.source!r} is not the float model's weight (SQNR "
            f"{sqnr.db:.1f} dB).",
            pair.dequantize,
            "The scale does not belong to these integers, or they were made from other weights: quantise again.",
        )


def _stored(models: Sides, pair: Pair) -> Iterator[Finding]:
    """Of stored integers only the waste can be seen."""
    if models.quantised.value(pair.source) is not None and _is_usable(pair):
        yield from _waste(pair, dequantised(models.quantised, pair), "weights")


def _waste(pair: Pair, values: Array, what: str) -> Iterator[Finding]:
    """Where even the largest value, of all channels, leaves two bits unused; biases in INT32 never fill their range."""
    if pair.dtype == "int32":
        return
    low, high = _range(pair, values.ndim)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.stack(np.broadcast_arrays(values / high, values / low))
    filled = float(np.max(shares, where=np.isfinite(shares), initial=0.0))
    if 0 < filled * _TWO_BITS < 1:
        yield Finding(
            WASTES,
            "warning",
            f"the {what} of {pair.source!r} fill {filled:.1%} of the range of {pair.dequantize!r}: "
            f"{np.log2(1 / filled):.1f} bits are never used.",
            pair.dequantize,
            "The scale is too large: quantise the weights anew."
            if pair.constant
            else f"{_REAL}, the scale is too large: calibrate with them.",
        )


def _range(pair: Pair, rank: int) -> tuple[Any, Any]:
    """The smallest and the largest value that the integers stand for, broadcast over the tensor."""
    assert pair.scale is not None
    assert pair.zero is not None
    assert pair.limits is not None
    scale = pair.per_channel(np.abs(pair.scale), rank)
    zero = pair.per_channel(pair.zero.astype(np.float64), rank)
    return (pair.limits[0] - zero) * scale, (pair.limits[1] - zero) * scale


def _is_usable(pair: Pair) -> bool:
    """Whether its scales are numbers to compute with; `quant-scale-value` names those that are not."""
    return pair.scale is not None and bool(np.isfinite(pair.scale).all())


def _steps(pair: Pair) -> int:
    assert pair.limits is not None
    return pair.limits[1] - pair.limits[0]


def _reference_name(models: Sides, pair: Pair) -> str | None:
    """Of an activation, in the reference's model; None for constants, and where that has no such tensor."""
    if pair.constant:
        return None
    return pair.source if models.original is None else models.original.activation(models.quantised, pair)
