"""One pass in blocks and threads says what plain numpy says of the whole."""

from __future__ import annotations

import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtdebug.oracle import blocks
from trtdebug.oracle import sums as module
from trtdebug.oracle.blocks import BLOCK
from trtdebug.oracle.compare import compare
from trtdebug.oracle.rules import LOST, LOST_FLOOR
from trtdebug.oracle.sums import ElementRule, Sums, sums
from trtdebug.oracle.tolerance import Limits

RULE = ElementRule(atol=1e-3, rtol=1e-2)
FLOATS = ["float16", "float32", "float64", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]


def plain(reference: np.ndarray, candidate: np.ndarray, rule: ElementRule) -> Sums:
    """The same in float64, whole."""
    r, c = (t.astype(np.float64).ravel() for t in (reference, candidate))
    same = (r == c) | (np.isnan(r) & np.isnan(c))
    both = np.isfinite(r) & np.isfinite(c)
    odd = np.count_nonzero(~same & ~both)
    r, c = r[both], c[both]
    gap, size = np.abs(c - r), np.abs(r)
    relative = gap[r != 0] / size[r != 0]
    weighed = size >= LOST_FLOOR
    return Sums(
        compared=r.size,
        odd=int(odd),
        over=int(np.count_nonzero(gap > rule.atol + rule.rtol * size)),
        used=np.fmax.reduce(gap / (rule.atol + rule.rtol * size), initial=0),  # 0 of 0 is none
        max_abs=gap.max(initial=0),
        sum_abs=gap.sum(),
        scale=size.max(initial=0),
        nonzero=np.count_nonzero(r),
        weighed=int(np.count_nonzero(weighed)),
        lost=int(np.count_nonzero(weighed & (gap >= LOST * size))),
        max_rel=relative.max(initial=0),
        sum_rel=relative.sum(),
        rr=r @ r,
        cc=c @ c,
        rc=r @ c,
        dd=gap @ gap,
    )


def assert_like_plain(reference: np.ndarray, candidate: np.ndarray, rule: ElementRule = RULE) -> None:
    """Counts to the unit; numbers to 1e-12, or where blocks are large enough for float32, as far as that goes."""
    small = reference.size < module._NARROW_FROM
    assert_close(
        sums(reference, candidate, rule), plain(reference, candidate, rule), 1e-12 if small else 3e-6
    )
    if small:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_NARROW_FROM", 0)
            assert_close(sums(reference, candidate, rule), plain(reference, candidate, rule), 3e-6)


def assert_close(ours: Sums, theirs: Sums, rel: float) -> None:
    for count in ("compared", "odd", "over", "nonzero", "weighed", "lost"):
        assert getattr(ours, count) == getattr(theirs, count), count
    for number in ("used", "max_abs", "sum_abs", "scale", "max_rel", "sum_rel", "rr", "cc", "dd"):
        assert getattr(ours, number) == pytest.approx(getattr(theirs, number), rel=rel, abs=0), number
    assert ours.rc == pytest.approx(theirs.rc, rel=rel, abs=rel * math.sqrt(theirs.rr * theirs.cc))


@st.composite
def pairs(draw):
    """Two tensors of one shape, each of its own dtype: some equal, some near, some not."""
    dtypes = draw(st.tuples(st.sampled_from(FLOATS), st.sampled_from(FLOATS)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))
    wide = st.floats(-400, 400, width=16) | st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-3])
    r = draw(hnp.arrays(np.float64, shape, elements=wide))
    factor = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([1.0, 1.0, 1.005, 1.02, -1.0, 0.0])))
    with np.errstate(invalid="ignore", over="ignore"):
        return r.astype(dtypes[0]), (r * factor).astype(dtypes[1])


@settings(max_examples=300)
@given(pairs())
def test_any_pair(pair):
    assert_like_plain(*pair)


@given(pairs(), st.sampled_from(["reversed", "transposed", "both transposed", "strided", "big-endian"]))
def test_any_layout(pair, layout):
    r, c = pair
    if layout == "reversed":
        r, c = np.flip(r), np.flip(c)
    elif layout == "transposed":
        r, c = r.T, np.ascontiguousarray(c.T)
    elif layout == "both transposed":
        r, c = r.T, c.T
    elif layout == "strided":
        r, c = (np.stack([t, t], -1)[..., 0] for t in (r, c))
    elif r.dtype.kind == "f":
        r = r.astype(r.dtype.newbyteorder(">"))
    assert_like_plain(r, c)


def noisy(size: int, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    r = rng.standard_normal(size).astype(dtype)
    return r, (r * (1 + 1e-2 * rng.standard_normal(size))).astype(dtype)


@pytest.mark.parametrize("size", [8191, 8192, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_at_the_borders_of_blocks(size, dtype):
    assert_like_plain(*noisy(size, dtype))


@pytest.mark.parametrize("place", [0, BLOCK - 1, BLOCK, 2 * BLOCK + 5])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_one_odd_element_anywhere(place, value):
    """3e38: its square is beyond float32."""
    r, c = noisy(2 * BLOCK + 6)
    c[place] = value
    assert_like_plain(r, c)


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e-20, 1e-10, 1e10, 1e18, 1e30])
def test_squares_beyond_float32(scale):
    r, c = noisy(1000)
    assert_like_plain(r * np.float32(scale), c * np.float32(scale))


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_squares_beyond_float64(scale):
    r, c = noisy(1000, "float64")
    plainly, scaled = sums(r, c), sums(r * scale, c * scale)
    for number in ("rms_rel", "cosine", "sqnr_db", "mean_rel"):
        assert getattr(scaled, number) == pytest.approx(getattr(plainly, number), rel=1e-9)
    assert scaled.max_abs == pytest.approx(plainly.max_abs * scale)


@pytest.mark.parametrize(
    "rule", [RULE, ElementRule(0.0, 1e-2), ElementRule(1e-35, 1e-2), ElementRule(0.125, 0.0)]
)
def test_elements_at_the_very_limit(rule):
    """Half of them just over, half of them on it or just under."""
    r = np.abs(noisy(4000)[0]) + np.float32(1)
    c = (r.astype(np.float64) * (1 + rule.rtol) + rule.atol).astype(np.float32)
    c[::2] = np.nextafter(c[::2], np.float32(9))
    assert 0 < sums(r, c, rule).over < r.size
    assert_like_plain(r, c, rule)


@pytest.mark.filterwarnings("ignore:.*(divide|overflow|invalid value)")
@pytest.mark.parametrize("atol", [0.0, 1e-40, 1e-6, 1e35])
@pytest.mark.parametrize("rtol", [0.0, 1e-40, 1e-3, 1e35])
@pytest.mark.parametrize("at_zero", [0.0, 1e-20])
def test_rules_that_float32_does_not_hold(atol, rtol, at_zero):
    """Among large elements tiny ones and zeros, with an error there or without."""
    r, c = noisy(4000)
    r[1], c[1] = 1e-30, 1.0001e-30
    r[::7], c[::7] = 0, at_zero
    assert_like_plain(r, c, ElementRule(atol, rtol))


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    r, c = noisy(5 * BLOCK + 3)
    several = sums(r, c, RULE)
    monkeypatch.setattr(blocks, "_threads", lambda: 1)
    assert sums(r, c, RULE) == several


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("order", ["C", "F", "mixed"])
def test_memory_is_bounded_by_the_block(dtype, order):
    """96 MiB a side in float32."""
    r = np.ones((6, 4 << 20), dtype, order="F" if order == "F" else "C")
    c = np.asarray(r, order="F") if order == "mixed" else r.copy(order="K")
    c[3, 1000] = 2
    tracemalloc.start()
    error = compare("y", r, c, Limits(rms=1e-9))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.status == "fail"
    assert peak < 64 << 20


def test_numbers_beside_the_verdict():
    r, c = np.array([3.0, 4.0, 0.0], np.float32), np.array([3.03, 4.04, 1.0], np.float32)
    extra = compare("y", r, c, Limits(rms=1)).extra
    assert extra["mean_abs"] == pytest.approx(1.07 / 3, rel=1e-5)
    assert extra["mean_rel"] == pytest.approx(0.01, rel=1e-4)  # where the reference is not 0
    assert extra["max_element_rel"] == pytest.approx(0.01, rel=1e-4)
    assert extra["cosine"] == pytest.approx((3 * 3.03 + 4 * 4.04) / (5 * np.linalg.norm(c)), rel=1e-6)


def test_sqnr_is_in_decibels():
    """An error of 1 % is 40 dB: the default limit of FP16."""
    x = np.array([3.0, 4.0])
    assert sums(x, 1.01 * x).sqnr_db == pytest.approx(40)
    assert sums(x, x).sqnr_db == math.inf
    assert sums(0 * x, x).sqnr_db == -math.inf


def test_what_is_not_defined_is_left_out():
    zero, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    assert set(compare("y", zero, one, Limits(rms=1)).extra) == {"mean_abs", "max_element_rel", "sqnr_db"}
    nothing = np.full(2, np.nan, np.float32)
    assert "mean_abs" not in compare("y", nothing, nothing, Limits(rms=1)).extra
