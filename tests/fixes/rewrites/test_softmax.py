"""exp over its sum becomes Softmax: equal in FP32, safe in FP16, and nothing else taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rewriting import assert_left_alone, assert_near_miss, assert_rewritten, fp16_error, kinds, model_of

from trtdebug.fixes.rewrites.softmax import REWRITE

LAST = {"axes": np.int64([-1])}


@pytest.mark.parametrize(
    "end", ["y = Div(e, s)", "i = Reciprocal(s) y = Mul(e, i)", "i = Reciprocal(s) y = Mul(i, e)"]
)
def test_equal_on_100_random_shapes(end: str) -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        opset = int(rng.choice([11, 13, 17]))
        shape = [int(n) for n in rng.integers(1, 9, rng.integers(1, 5))]
        axis = len(shape) - 1 if opset < 13 else int(rng.integers(-len(shape), len(shape)))
        by_input = opset >= 13
        total = "s = ReduceSum (e, axes)" if by_input else f"s = ReduceSum <axes = [{axis}]> (e)"
        values = {"axes": np.int64([axis])} if by_input else {}
        model = model_of(f"e = Exp(x) {total} {end}", shape, values, opset=opset)
        x = rng.uniform(-40, 40, shape).astype(np.float32)
        assert kinds(assert_rewritten(REWRITE, model, {"x": x})) == ["Softmax"]


def test_safe_in_fp16_where_exp_overflowed(tmp_path: Path) -> None:
    model = model_of("e = Exp(x) s = ReduceSum (e, axes) y = Div(e, s)", [8, 32], LAST)
    feeds = {"x": np.random.default_rng(0).uniform(-15, 15, (8, 32)).astype(np.float32)}
    assert fp16_error(model, feeds, tmp_path) == np.inf
    assert fp16_error(assert_rewritten(REWRITE, model, feeds), feeds, tmp_path) < 1e-2


NEAR_MISSES = {
    "the sum of something else": "e = Exp(x) z = Abs(e) s = ReduceSum (z, axes) y = Div(e, s)",
    "something else over the sum": "e = Exp(x) s = ReduceSum (e, axes) y = Div(x, s)",
    "the other way round": "e = Exp(x) s = ReduceSum (e, axes) y = Div(s, e)",
    "a product": "e = Exp(x) s = ReduceSum (e, axes) y = Mul(e, s)",
    "a mean": "e = Exp(x) s = ReduceMean <axes = [-1]> (e) y = Div(e, s)",
    "a sum over two axes": "e = Exp(x) s = ReduceSum (e, both) y = Div(e, s)",
    "a sum over all axes": "e = Exp(x) s = ReduceSum (e) y = Div(e, s)",
    "a dropped axis": "e = Exp(x) s = ReduceSum <keepdims = 0> (e, axes) y = Div(e, s)",
    "an epsilon": "e = Exp(x) t = ReduceSum (e, axes) s = Add(t, eps) y = Div(e, s)",
    "exp is read": "e = Exp(x) s = ReduceSum (e, axes) w = Div(e, s) y = Add(w, e)",
    "the sum is an output": "e = Exp(x) o = ReduceSum (e, axes) y = Div(e, o)",
    "axes that are computed": "e = Exp(x) h = Shape(x) k = Slice(h, first, last) s = ReduceSum (e, k) y = Div(e, s)",
}


@pytest.mark.parametrize("body", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body: str) -> None:
    values = {
        "axes": np.int64([-1]),
        "both": np.int64([0, 1]),
        "eps": np.float32(1e-3),
        "first": np.int64([0]),
        "last": np.int64([1]),
    }
    assert_near_miss(REWRITE, body, [1, 1], values)


def test_an_axis_other_than_the_last_means_another_softmax_before_opset_13() -> None:
    body = "e = Exp(x) s = ReduceSum <axes = [0]> (e) y = Div(e, s)"
    assert_left_alone(REWRITE, model_of(body, [3, 4], opset=11))
