"""What one pass over a pair of float tensors yields: all numbers that verdicts and reports are made of.

Large blocks of float32 and narrower are worked in float32, where that is exact enough; all others in float64.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtdebug.oracle.blocks import BLOCK, Tensor, map_blocks
from trtdebug.oracle.rules import LOST, LOST_FLOOR

Floats = NDArray[np.floating[Any]]

_RUN = 8192  # elements a dot product: short enough for float32, and for BLAS to leave it to one thread
_NARROW_FROM = 8192  # elements of a block that is worth doing in float32
_NARROW_SQUARES = (
    1e-24,
    1e37,
)  # sums of squares that float32 holds to 1e-6: what underflows in them is too small
_WIDE_SQUARES = (1e-250, 1e300)
_ROUNDING = 1e-6  # more than float32's relative error of a gap, or of what the element rule allows
_NORMAL = 1e-30  # what float32 holds, and some millionths of it, without loss


@dataclass(frozen=True)
class ElementRule:
    """|c - r| <= atol + rtol * |r|"""

    atol: float
    rtol: float

    @property
    def fits_float32(self) -> bool:
        """Whether float32 holds what it allows without loss; not where it allows nothing."""
        given = [part for part in (self.atol, self.rtol) if part]
        return bool(given) and all(_NORMAL <= part <= 1 / _NORMAL for part in given)


@dataclass(frozen=True)
class Sums:
    """Of a pair (r, c), over the elements that are finite on both sides, except `odd`.

    Attributes:
        compared: number of those elements.
        odd: elements that are NaN or Inf on one side and not the same on the other.
        over: elements that break the element rule; 0 without one.
        used: largest |c - r| over what the element rule allows there; 0 without one.
        max_abs, sum_abs: of |c - r|.
        scale: max |r|.
        nonzero: elements where r is not 0; max_rel, sum_rel: of |c - r| / |r| over them.
        weighed, lost: elements with |r| >= LOST_FLOOR, and those of them with |c - r| >= LOST * |r|.
        rr, cc, rc, dd: inner products of r, c and d = c - r.
    """

    compared: int = 0
    odd: int = 0
    over: int = 0
    used: float = 0.0
    max_abs: float = 0.0
    sum_abs: float = 0.0
    scale: float = 0.0
    nonzero: int = 0
    weighed: int = 0
    lost: int = 0
    max_rel: float = 0.0
    sum_rel: float = 0.0
    rr: float = 0.0
    cc: float = 0.0
    rc: float = 0.0
    dd: float = 0.0

    @property
    def rms_rel(self) -> float:
        """||c - r|| / ||r||; 0 for equal tensors, inf against zero."""
        if not self.scale:
            return math.inf if self.max_abs else 0.0
        return math.sqrt(self.dd) / math.sqrt(self.rr) if self.rr else math.inf

    @property
    def cosine(self) -> float:
        """<r, c> / (||r|| ||c||); NaN where a side is zero, or beyond the range of its squares."""
        norms = math.sqrt(self.rr) * math.sqrt(self.cc)
        return max(-1.0, min(1.0, self.rc / norms)) if norms else math.nan

    @property
    def sqnr_db(self) -> float:
        """10 log10(||r||^2 / ||c - r||^2), decibels; inf for equal tensors, -inf against zero."""
        rms = self.rms_rel
        if rms == 0.0:
            return math.inf
        return -20.0 * math.log10(rms) if math.isfinite(rms) else -math.inf

    @property
    def mean_abs(self) -> float:
        """Mean of |c - r|; NaN without elements."""
        return self.sum_abs / self.compared if self.compared else math.nan

    @property
    def mean_rel(self) -> float:
        """Mean of |c - r| / |r| where r is not 0; NaN where it is 0 everywhere."""
        return self.sum_rel / self.nonzero if self.nonzero else math.nan


def sums(reference: Tensor, candidate: Tensor, rule: ElementRule | None = None) -> Sums:
    """One pass over two float tensors of equal shape, any layout and width; bit for bit the same on any machine
    of a kind, however many cores it has.

    Only float64 whose squares leave its range takes a second one.
    """
    total = _total(map_blocks(partial(_block, rule=rule), reference, candidate))
    low, high = _WIDE_SQUARES
    if total.scale == 0.0 or (low < total.rr < high and total.dd < high):
        return total
    largest = min(max(total.scale, total.max_abs), sys.float_info.max)
    exponent = -math.frexp(largest)[1]
    scaled = _total(map_blocks(partial(_scaled_block, exponent=exponent), reference, candidate))
    return replace(total, rr=scaled.rr, cc=scaled.cc, rc=scaled.rc, dd=scaled.dd)


def _total(blocks: Sequence[Sums]) -> Sums:
    largest = {"used", "max_abs", "scale", "max_rel"}
    total: dict[str, Any] = {}
    for name in (f.name for f in fields(Sums)):
        values = [getattr(block, name) for block in blocks]
        total[name] = max(values, default=0.0) if name in largest else sum(values)
    return Sums(**total)


def _block(r: Tensor, c: Tensor, rule: ElementRule | None) -> Sums:
    with np.errstate(all="ignore"):
        if r.size < _NARROW_FROM or r.dtype.itemsize > 4 or c.dtype.itemsize > 4:
            return _wide(_as(np.float64, r, 0), _as(np.float64, c, 1), rule)
        found = _work(_as(np.float32, r, 0), _as(np.float32, c, 1))
        if not _exact_enough(found):
            return _wide(_as(np.float64, r, 0), _as(np.float64, c, 1), rule)
        if rule is None:
            return found
        over, used = _narrow_rule(r, c, rule)
        return replace(found, over=over, used=used)


def _scaled_block(r: Tensor, c: Tensor, exponent: int) -> Sums:
    with np.errstate(all="ignore"):
        return _wide(_scaled(r, 0, exponent), _scaled(c, 1, exponent), None)


def _scaled(block: Tensor, place: int, exponent: int) -> Floats:
    scaled: Floats = np.ldexp(_as(np.float64, block, place), exponent)
    return scaled


def _exact_enough(found: Sums) -> bool:
    """Whether what float32 gave can't be told from what float64 gives; never where NaN or Inf are about."""
    low, high = _NARROW_SQUARES
    if found.max_abs == 0.0:
        return found.scale == 0.0 or low < found.rr < high
    return all(low < s < high for s in (found.rr, found.cc, found.dd)) and math.isfinite(found.sum_rel)


def _wide(r: Floats, c: Floats, rule: ElementRule | None) -> Sums:
    found, odd = _work(r, c), 0
    if not math.isfinite(found.rr + found.cc + found.dd):
        both = np.isfinite(r) & np.isfinite(c)
        same = both | (r == c) | (np.isnan(r) & np.isnan(c))
        odd = int(r.size - np.count_nonzero(same))
        r, c = r[both], c[both]
        found = _work(r, c)
    if rule is None:
        return replace(found, odd=odd)
    over, used = _wide_rule(r, c, rule)
    return replace(found, odd=odd, over=over, used=used)


def _narrow_rule(r: Tensor, c: Tensor, rule: ElementRule) -> tuple[int, float]:
    """`over` and `used` of narrow blocks. A limit is a limit: what float32 can't tell, float64 does."""
    if rule.fits_float32:
        shares, limit = _shares(_as(np.float32, r, 0), _as(np.float32, c, 1), rule)
        used = _largest(shares) / limit
        if used < 1 - 2 * _ROUNDING:
            return 0, used
        certain = np.count_nonzero(shares > limit * (1 + _ROUNDING))
        if certain == np.count_nonzero(shares > limit * (1 - 2 * _ROUNDING)):
            return int(certain), used
    return _wide_rule(_as(np.float64, r, 0), _as(np.float64, c, 1), rule)


def _wide_rule(r: Floats, c: Floats, rule: ElementRule) -> tuple[int, float]:
    gap, magnitude = _gap_and_magnitude(r, c)
    allowed = _allowed(magnitude, rule)
    return int(np.count_nonzero(gap > allowed)), _largest(np.divide(gap, allowed, out=gap))


def _shares(r: Floats, c: Floats, rule: ElementRule) -> tuple[Floats, float]:
    """|c - r| over what is allowed, and the share that is the limit: 1; without `atol` over |r|, and `rtol`.

    So float32 loses nothing where |r| is tiny and no `atol` outweighs it.
    """
    gap, magnitude = _gap_and_magnitude(r, c)
    if not rule.atol:
        return np.divide(gap, magnitude, out=gap), rule.rtol
    return np.divide(gap, _allowed(magnitude, rule), out=gap), 1.0


def _allowed(magnitude: Floats, rule: ElementRule) -> Floats:
    """What the rule allows, in the place of |r|."""
    return np.add(np.multiply(magnitude, rule.rtol, out=magnitude), rule.atol, out=magnitude)


def _gap_and_magnitude(r: Floats, c: Floats) -> tuple[Floats, Floats]:
    """|c - r| and |r|, in buffers of the blocks' dtype."""
    gap, magnitude = _buffer(r.dtype, 2)[: r.size], _buffer(r.dtype, 3)[: r.size]
    np.abs(np.subtract(c, r, out=gap), out=gap)
    return gap, np.abs(r, out=magnitude)


def _largest(shares: Floats) -> float:
    """0 of 0 is none."""
    return float(np.fmax.reduce(shares, initial=0))


def _work(r: Floats, c: Floats) -> Sums:
    """The sums of a block in the dtype that it has; without sense where NaN or Inf are about."""
    size = r.size
    gap, magnitude = _gap_and_magnitude(r, c)
    rr, scale = _dot(r, r), float(np.maximum.reduce(magnitude, initial=0))
    max_abs = float(np.maximum.reduce(gap, initial=0))
    weighed = magnitude >= LOST_FLOOR
    present = magnitude != 0 if np.minimum.reduce(magnitude, initial=1) == 0 else None
    equal = Sums(
        compared=size,
        scale=scale,
        nonzero=size if present is None else int(np.count_nonzero(present)),
        weighed=int(np.count_nonzero(weighed)),
        rr=rr,
        cc=rr,
        rc=rr,
    )
    if max_abs == 0:
        return equal
    cc, rc, dd = _dot(c, c), _dot(r, c), _dot(gap, gap)
    sum_abs = float(np.add.reduce(gap))
    if present is not None:  # 0 / 1 where r is 0; by arithmetic, since masks cost ten times that
        np.multiply(gap, present, out=gap)
        np.add(magnitude, ~present, out=magnitude)
    np.divide(gap, magnitude, out=gap)
    max_rel = float(np.maximum.reduce(gap, initial=0))
    lost = 0
    if max_rel >= LOST:
        lost = int(np.count_nonzero(np.logical_and(gap >= LOST, weighed, out=weighed)))
    return replace(
        equal,
        max_abs=max_abs,
        sum_abs=sum_abs,
        max_rel=max_rel,
        sum_rel=float(np.add.reduce(gap)),
        lost=lost,
        cc=cc,
        rc=rc,
        dd=dd,
    )


def _dot(a: Floats, b: Floats) -> float:
    """Inner product: runs of 8192 in their own dtype, their sum in float64."""
    whole = a.size - a.size % _RUN
    runs = np.matmul(a[:whole].reshape(-1, 1, _RUN), b[:whole].reshape(-1, _RUN, 1))
    return float(np.add.reduce(runs, axis=None, dtype=np.float64)) + float(np.dot(a[whole:], b[whole:]))


def _as(dtype: type[np.floating[Any]], block: Tensor, place: int) -> Floats:
    """The block in this dtype: itself, or in this thread's buffer number `place`."""
    if block.dtype == dtype:
        return block  # type: ignore[return-value]
    buffer = _buffer(np.dtype(dtype), place)[: block.size]
    np.copyto(buffer, block, casting="unsafe")
    return buffer


_buffers = threading.local()


def _buffer(dtype: np.dtype[Any], place: int) -> Floats:
    """Room for a block, this thread's own."""
    kept: dict[str, Floats] = _buffers.__dict__
    name = f"{dtype}{place}"
    if name not in kept:
        kept[name] = np.empty(BLOCK, dtype)
    return kept[name]
