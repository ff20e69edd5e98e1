"""Norms whose square is scaled first: equal in FP32, safe in FP16, and nothing else taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from rewriting import assert_left_alone, assert_near_miss, assert_rewritten, fp16_error, kinds, model_of, run

from trtdebug.fixes.rewrites.scaled_square import REWRITE
from trtdebug.graph.widen import widened

SQUARES = {"pow": "s = Pow(d, two)", "mul": "s = Mul(d, d)"}
TWO_MOMENTS = (
    "t = ReduceSum <keepdims = 0> (x, last) m = Mul(t, inv) mm = Mul(m, m) M = Reshape(m, kept) d = Sub(x, M) "
    "s = Mul(x, x) u = ReduceSum <keepdims = 0> (s, last) q = Mul(u, inv) v0 = Sub(q, mm) v1 = Max(zero, v0) "
    "v = Reshape(v1, kept) e = Add(v, eps) r = Sqrt(e) i = Reciprocal(r) y = Mul(d, i)"
)


def constants(eps: float = 1e-5, **more: object) -> dict[str, np.ndarray]:
    return {
        "two": np.float32(2),
        "zero": np.float32(0),
        "eps": np.float32(eps),
        **{name: np.asarray(value) for name, value in more.items()},
    }


def axes_of(op: str, axes: list[int], opset: int) -> tuple[str, str]:
    """How a reduction says its axes: as an attribute, or as an input."""
    by_input = opset >= (13 if op == "ReduceSum" else 18)
    return ("", ", axes") if by_input else (f"<axes = [{', '.join(map(str, axes))}]>", "")


def norm(rng: np.random.Generator, centred: bool = True) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A LayerNorm or RMSNorm of random shape, axes, form, opset and epsilon, and an input for it."""
    opset = int(rng.choice([11, 13, 17, 18]))
    shape = [int(n) for n in rng.integers(1, 9, rng.integers(1, 5))]
    count = int(rng.integers(1, len(shape) + 1))
    axes = sorted(int(a) for a in rng.choice(len(shape), count, replace=False))
    if rng.random() < 0.5:
        axes = [axis - len(shape) for axis in axes]
    square = SQUARES[str(rng.choice(["pow", "mul"]))]
    attribute, extra = axes_of("ReduceMean", axes, opset)
    d = f"m = ReduceMean {attribute} (x{extra}) d = Sub(x, m)" if centred else "d = Identity(x)"
    mean = f"v = ReduceMean {attribute} (s{extra})"
    if rng.random() < 0.3 and opset >= 13:
        mean = "q = ReduceSum (s, axes) v = Div(q, n)"
    add = "e = Add(v, eps)" if rng.random() < 0.5 else "e = Add(eps, v)"
    end = "y = Div(d, r)" if rng.random() < 0.5 else "i = Reciprocal(r) y = Mul(d, i)"
    values = constants(float(rng.choice([1e-12, 1e-6, 1e-5, 1e-3])))
    if opset >= 18 or "ReduceSum" in mean:
        values["axes"] = np.array(axes, np.int64)
    if "Div(q, n)" in mean:
        values["n"] = np.float32(np.prod([shape[axis] for axis in axes]))
    x = rng.normal(0, 10.0 ** rng.uniform(-3, 3), shape).astype(np.float32)
    if rng.random() < 0.3:
        x[..., : shape[-1] // 2] = 0  # a row of zeros, often
    return model_of(f"{d} {square} {mean} {add} r = Sqrt(e) {end}", shape, values, opset=opset), {"x": x}


@pytest.mark.parametrize("centred", [True, False], ids=["LayerNorm", "RMSNorm"])
def test_equal_on_100_random_shapes(centred: bool) -> None:
    for seed in range(100):
        result = assert_rewritten(REWRITE, *norm(np.random.default_rng(seed), centred))
        assert "Abs" in kinds(result)


def two_moments(rng: np.random.Generator) -> tuple[onnx.ModelProto, np.ndarray]:
    """E[x * x] - E[x]^2 over the last axis, with dropped axes and a random shape; and an input for it."""
    rows, size = (int(n) for n in rng.integers(2, 64, 2))
    eps = float(rng.choice([1e-6, 1e-3]))
    values = constants(eps, last=np.int64([1]), inv=np.float32(1 / size), kept=np.int64([rows, 1]))
    x = rng.normal(0, 10.0 ** rng.uniform(-1, 3), (rows, size))
    return model_of(TWO_MOMENTS, [rows, size], values), x


def test_two_moments_are_equal_on_100_random_shapes_where_they_do_not_cancel() -> None:
    for seed in range(100):
        model, x = two_moments(np.random.default_rng(seed))
        x -= x.mean(1, keepdims=True)
        result = assert_rewritten(REWRITE, model, {"x": x.astype(np.float32)})
        assert {"u", "q", "v0"}.isdisjoint(t for node in result.graph.node for t in node.output)


def test_two_moments_that_cancel_are_never_further_from_fp64_than_before() -> None:
    """With a large mean the model itself rounds by more than 1e-6; what takes its place is the better of the two."""
    for seed in range(100):
        model, x = two_moments(np.random.default_rng(seed))
        feeds = {"x": x.astype(np.float32)}
        exact = run(widened(model), {"x": feeds["x"].astype(np.float64)})["y"]
        own = np.abs(run(model, feeds)["y"] - exact).max() / np.abs(exact).max()
        result = assert_rewritten(REWRITE, model, feeds, tolerance=1e-6 + 2 * float(own))
        assert np.abs(run(result, feeds)["y"] - exact).max() <= max(1e-6, own) * np.abs(exact).max()


@pytest.mark.parametrize("scale", [300.0, 3000.0, 2e-4])
@pytest.mark.parametrize("centred", [True, False], ids=["LayerNorm", "RMSNorm"])
def test_safe_in_fp16_where_the_square_was_not(centred: bool, scale: float, tmp_path: Path) -> None:
    d = "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m)" if centred else "d = Identity(x)"
    body = f"{d} s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) e = Add(v, eps) r = Sqrt(e) y = Div(d, r)"
    model = model_of(body, [4, 64], constants(1e-12))
    feeds = {"x": np.random.default_rng(0).normal(0, scale, (4, 64)).astype(np.float16).astype(np.float32)}
    result = assert_rewritten(REWRITE, model, feeds)
    assert fp16_error(model, feeds, tmp_path) > 0.5
    assert fp16_error(result, feeds, tmp_path) < 3e-3


def test_rows_of_zeros_stay_zeros_in_fp16(tmp_path: Path) -> None:
    body = "s = Mul(x, x) v = ReduceMean <axes = [-1]> (s) e = Add(v, eps) r = Sqrt(e) y = Div(x, r)"
    model = model_of(body, [2, 8], constants(1e-12))
    x = np.zeros((2, 8), np.float32)
    x[1] = 1
    assert fp16_error(model, {"x": x}, tmp_path) == np.inf  # 0 / 0
    assert fp16_error(assert_rewritten(REWRITE, model, {"x": x}), {"x": x}, tmp_path) == 0


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan, 1e6, 1e15])
@pytest.mark.parametrize("centred", [True, False], ids=["LayerNorm", "RMSNorm"])
def test_what_fp16_does_not_hold_comes_out_as_before(centred: bool, number: float) -> None:
    """An Inf makes the root Inf, and not NaN; a large number has a root as large."""
    d = "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m)" if centred else "d = Identity(x)"
    root = "s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) e = Add(v, eps) r = Sqrt(e)"
    body = f"{d} {root} i = Identity(r) y = Div(d, r)"
    model = model_of(body, [2, 8], constants(1e-5), outputs="float y, float i")
    x = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    x[0, 3] = number
    assert_rewritten(REWRITE, model, {"x": x})


SQUARE, MEAN, END = (
    "s = Mul(x, x) ",
    "v = ReduceMean <axes = [-1]> (s) ",
    "e = Add(v, eps) r = Sqrt(e) y = Div(x, r)",
)
NEAR_MISSES = {
    "another exponent": "s = Pow(x, three) " + MEAN + END,
    "a product of two": "z = Abs(x) s = Mul(x, z) " + MEAN + END,
    "a sum, not a mean": SQUARE + "v = ReduceSum (s, last) " + END,
    "over another number": SQUARE + "q = ReduceSum (s, last) v = Div(q, three) " + END,
    "the number over it": SQUARE + "q = ReduceSum (s, last) v = Div(n, q) " + END,
    "a mean times something": SQUARE + "q = ReduceMean <axes = [-1]> (s) v = Mul(q, n) " + END,
    "axes dropped": SQUARE + "q = ReduceMean <axes = [-1], keepdims = 0> (s) v = Unsqueeze(q, first) " + END,
    "over all axes": SQUARE + "v = ReduceMean (s) " + END,
    "epsilon after the root": SQUARE + MEAN + "q = Sqrt(v) r = Add(q, eps) y = Div(x, r)",
    "epsilon taken off": SQUARE + MEAN + "e = Sub(v, eps) r = Sqrt(e) y = Div(x, r)",
    "epsilon computed": SQUARE
    + MEAN
    + "z = ReduceMax <axes = [-1]> (x) e = Add(v, z) r = Sqrt(e) y = Div(x, r)",
    "an epsilon a row": SQUARE + MEAN + "e = Add(v, row) r = Sqrt(e) y = Div(x, r)",
    "an epsilon of higher rank": SQUARE + MEAN + "e = Add(v, deep) r = Sqrt(e) y = Div(x, r)",
    "no epsilon": SQUARE + MEAN + "r = Sqrt(v) y = Div(x, r)",
    "an epsilon of 0": SQUARE + MEAN + "e = Add(v, zero) r = Sqrt(e) y = Div(x, r)",
    "the square is read": SQUARE + MEAN + END.replace("y =", "w =") + " y = Add(w, s)",
    "the mean is read": SQUARE + MEAN + END.replace("y =", "w =") + " y = Add(w, v)",
    "the mean is an output": SQUARE + MEAN.replace("v =", "o =") + END.replace("(v,", "(o,"),
    "a clamp that is none": SQUARE + "q = ReduceMean <axes = [-1]> (s) v = Max(q, n) " + END,
    "two moments of two tensors": "z = Abs(x) m = ReduceMean <axes = [-1]> (z) mm = Mul(m, m) s = Mul(x, x) "
    "q = ReduceMean <axes = [-1]> (s) v = Sub(q, mm) " + END,
    "two moments over two axes": "m = ReduceMean <axes = [0]> (x) mm = Mul(m, m) s = Mul(x, x) "
    "q = ReduceMean <axes = [-1]> (s) v = Sub(q, mm) " + END,
    "two moments, not centred": "m = ReduceMean <axes = [-1]> (x) mm = Mul(m, m) s = Mul(x, x) "
    "q = ReduceMean <axes = [-1]> (s) v = Sub(q, mm) " + END,
}


@pytest.mark.parametrize("body", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body: str) -> None:
    values = constants(
        three=np.float32(3),
        n=np.float32(6),
        last=np.int64([-1]),
        first=np.int64([0]),
        row=np.full((6, 1), 1e-5, np.float32),
        deep=np.full((1, 1, 1), 1e-5, np.float32),
    )
    assert_near_miss(REWRITE, body, [6, 6], values)


def test_leaves_other_types_alone() -> None:
    body = SQUARE + MEAN + END
    model = model_of(body, [2, 6], {"eps": np.float64(1e-5)}, dtype="double", outputs="double y")
    assert_left_alone(REWRITE, model)


def test_what_a_body_reads_stays() -> None:
    body = (
        SQUARE + MEAN + END.replace("y =", "w =") + " c = ReduceMax <keepdims = 0> (x) b = Cast <to = 9> (c) "
        "y = If (b) <then_branch = t () => (float[2, 1] p) { p = Identity(v) }, "
        "else_branch = e () => (float[2, 1] q) { q = Abs(v) }>"
    )
    assert_left_alone(REWRITE, model_of(body, [2, 6], {"eps": np.float32(1e-5)}))


def test_reshapes_that_may_move_numbers_are_left_alone() -> None:
    """[3, 4] of means, written as [4, 3]: the same number of elements, at other places."""
    body = (
        "s = Mul(x, x) q = ReduceMean <axes = [-1], keepdims = 0> (s) v = Reshape(q, shape) e = Add(v, eps) "
        "r = Sqrt(e) y = Add(r, r)"
    )
    shape = np.int64([4, 3, 1])
    assert_left_alone(REWRITE, model_of(body, [3, 4, 5], constants(shape=shape)))
