"""Min and Max become Clip, in either order; nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from rewriting import assert_left_alone, assert_near_miss, assert_rewritten, kinds, model_of, run

from trtdebug.fixes.rewrites.clip import REWRITE

TYPES = {"float": np.float32, "float16": np.float16, "int32": np.int32, "int64": np.int64}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("body", ["a = Min(x, hi) y = Max(a, lo)", "a = Max(lo, x) y = Min(a, hi)"])
def test_equal_on_100_random_shapes(body: str, kind: str) -> None:
    dtype = TYPES[kind]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        shape = [int(n) for n in rng.integers(1, 7, rng.integers(1, 5))]
        low, high = np.sort(rng.normal(0, 20, 2)).astype(dtype)
        ranks = [(1,) * int(rank) for rank in rng.integers(0, len(shape) + 1, 2)]
        bounds = {"lo": np.full(ranks[0], low, dtype), "hi": np.full(ranks[1], high, dtype)}
        model = model_of(body, shape, bounds, dtype=kind, outputs=f"{kind} y")
        x = rng.normal(0, 30, shape).astype(dtype)
        assert kinds(assert_rewritten(REWRITE, model, {"x": x}, 0)) == ["Clip"]


def test_infinities_and_equal_bounds() -> None:
    x = np.array([-np.inf, -1, 0, 1, np.inf], np.float32)
    for low, high in [(-0.5, 0.5), (0.25, 0.25), (-np.inf, 0.5)]:
        bounds = {"lo": np.float32(low), "hi": np.float32(high)}
        model = model_of("a = Min(x, hi) y = Max(a, lo)", [5], bounds)
        result = assert_rewritten(REWRITE, model, {"x": x}, 0)
        assert (run(model, {"x": x})["y"] == run(result, {"x": x})["y"]).all()


NEAR_MISSES = {
    "bounds the wrong way round": ("a = Min(x, lo) y = Max(a, hi)", {"lo": 0, "hi": 1}),
    "a bound an element": ("a = Min(x, hi) y = Max(a, lo)", {"lo": [0, 0, 0], "hi": 1}),
    "a bound of higher rank": ("a = Min(x, hi) y = Max(a, lo)", {"lo": [[0]], "hi": 1}),
    "Min twice": ("a = Min(x, hi) y = Min(a, lo)", {"lo": 0, "hi": 1}),
    "a bound that is computed": ("z = Abs(x) a = Min(x, z) y = Max(a, lo)", {"lo": 0}),
    "three inputs": ("a = Min(x, hi, lo) y = Max(a, lo)", {"lo": 0, "hi": 1}),
    "one input": ("a = Min(x) y = Max(a, lo)", {"lo": 0}),
    "what is between is read": ("a = Min(x, hi) b = Max(a, lo) y = Add(a, b)", {"lo": 0, "hi": 1}),
    "what is between is an output": ("o = Min(x, hi) y = Max(o, lo)", {"lo": 0, "hi": 1}),
}


@pytest.mark.parametrize(("body", "values"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body: str, values: dict[str, object]) -> None:
    constants = {name: np.asarray(value, np.float32) for name, value in values.items()}
    assert_near_miss(REWRITE, body, [3], constants)


def test_a_clip_has_its_bounds_as_attributes_before_opset_11() -> None:
    bounds = {"lo": np.float32(0), "hi": np.float32(1)}
    assert_left_alone(REWRITE, model_of("a = Min(x, hi) y = Max(a, lo)", [3], bounds, opset=10))


def test_integers_have_no_clip_before_opset_12() -> None:
    bounds = {"lo": np.float64(0), "hi": np.float64(1)}
    body = "a = Min(x, hi) y = Max(a, lo)"
    assert_left_alone(REWRITE, model_of(body, [3], bounds, opset=11, dtype="double", outputs="double y"))
