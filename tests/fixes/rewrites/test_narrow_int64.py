"""INT64 constants become INT32 where the operator takes either and the values fit; exponents the type of their base."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from rewriting import assert_left_alone, assert_rewritten, model_of

from trtdebug.fixes.rewrites.narrow_int64 import REWRITE

END = np.iinfo(np.int64).max


def test_equal_on_100_random_shapes() -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        shape = [int(n) for n in rng.integers(2, 7, rng.integers(1, 5))]
        axis = int(rng.integers(0, len(shape)))
        rows = rng.integers(-shape[axis], shape[axis], rng.integers(1, 5))
        start, stop = (
            0 if rng.random() < 0.5 else -shape[axis],
            END if rng.random() < 0.5 else shape[axis] - 1,
        )
        values = {
            "rows": np.int64(rows),
            "starts": np.int64([start]),
            "ends": np.int64([stop]),
            "axes": np.int64([axis]),
            "two": np.int64(2),
        }
        body = (
            f"a = Slice(x, starts, ends, axes) b = Gather <axis = {axis}> (x, rows) c = Pow(b, two) "
            "y = ReduceSum(c) w = ReduceSum(a)"
        )
        model = model_of(body, shape, values, outputs="float y, float w")
        result = assert_rewritten(REWRITE, model, {"x": rng.normal(size=shape).astype(np.float32)}, 0)
        assert {t.data_type for t in result.graph.initializer} == {TensorProto.INT32, TensorProto.FLOAT}
        assert [n.name for n in result.graph.node] == [n.name for n in model.graph.node]


@pytest.mark.parametrize("end", [END, END - 1, 2**40, 2**31, 2**31 - 1, 3, -1, -(2**31) - 1, -(2**40), -END])
@pytest.mark.parametrize("start", [END, 2**40, 0, -2, -(2**40)])
@pytest.mark.parametrize("step", [1, -1, -2])
def test_bounds_beyond_int32_cut_out_the_same(start: int, end: int, step: int) -> None:
    """Backwards, the largest number takes all, as onnxruntime has it, and every other one behind the tensor nothing."""
    values = {name: np.int64([n]) for name, n in {"a": start, "b": end, "c": 0, "d": step}.items()}
    model = model_of("y = Slice(x, a, b, c, d)", [4], values)
    assert_rewritten(REWRITE, model, {"x": np.arange(4, dtype=np.float32)}, 0)


NEAR_MISSES = {
    "a shape": ("y = Reshape(x, n)", {"n": [4]}),
    "axes": ("y = Unsqueeze(x, n)", {"n": [0]}),
    "repeats": ("y = Tile(x, n)", {"n": [2]}),
    "indices of ScatterND": ("y = ScatterND(x, n, u)", {"n": [[0]], "u": np.float32([1])}),
    "numbers that are added": ("i = Cast <to = 7> (x) j = Add(i, n) y = Cast <to = 1> (j)", {"n": [1]}),
    "a base that is INT64": ("i = Cast <to = 7> (x) j = Pow(i, n) y = Cast <to = 1> (j)", {"n": [2]}),
    "one bound that is computed": ("h = Shape(x) y = Slice(x, n, h)", {"n": [0]}),
    "an exponent that FP32 does not hold": ("y = Pow(x, n)", {"n": [2**24 + 1]}),
    "an exponent that is FP32": ("y = Pow(x, n)", {"n": np.float32([2])}),
    "indices that are INT32": ("y = Gather(x, n)", {"n": np.int32([0])}),
}


@pytest.mark.parametrize(("body", "values"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body: str, values: dict[str, object]) -> None:
    constants = {n: v if isinstance(v, np.ndarray) else np.array(v, np.int64) for n, v in values.items()}
    assert_left_alone(REWRITE, model_of(body, [4], constants))


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_an_exponent_takes_the_type_of_its_base(kind: type) -> None:
    model = model_of("y = Pow(x, n)", [3], {"n": kind(3)})
    result = assert_rewritten(REWRITE, model, {"x": np.float32([-2, 0.5, 3])})
    [exponent] = result.graph.initializer
    assert (exponent.data_type, list(exponent.dims)) == (TensorProto.FLOAT, [])
