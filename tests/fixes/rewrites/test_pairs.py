"""Nodes that undo each other are dropped; those that only look so stay."""

from __future__ import annotations

import numpy as np
import pytest
from rewriting import assert_left_alone, assert_near_miss, assert_rewritten, kinds, model_of

from trtdebug.fixes.rewrites.pairs import REWRITE

BETWEEN = ["", "b = Relu(a)", "c = Tanh(a) b = Abs(c)"]


def around(first: str, between: str, second: str) -> str:
    """x -> sigmoid -> first -> between -> second -> negative."""
    last = "b" if between else "a"
    return f"z = Sigmoid(x) a = {first} {between} w = {second.format(last)} y = Neg(w)"


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("kind", ["unsqueeze", "squeeze", "transpose", "reshape"])
def test_equal_on_100_random_shapes(kind: str, between: str) -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        opset = int(rng.choice([11, 13]))
        shape = [int(n) for n in rng.integers(1, 6, rng.integers(1, 5))]
        values: dict[str, np.ndarray] = {}
        if kind == "transpose":
            perm = rng.permutation(len(shape))
            back = np.argsort(perm)
            first, second = (f"Transpose <perm = {p.tolist()}>" for p in (perm, back))
            body = around(f"{first} (z)", between, f"{second} ({{}})")
        elif kind == "reshape":
            values = {"flat": np.int64([-1]), "back": np.int64(shape)}
            body = around("Reshape(z, flat)", between, "Reshape({}, back)")
        else:
            count = int(rng.integers(1, len(shape) + 2))
            ones = sorted(int(a) for a in rng.choice(len(shape) + 1, count, replace=False))
            if kind == "squeeze":
                for axis in (a for a in ones if a < len(shape)):
                    shape[axis] = 1
                ones = [a for a in ones if a < len(shape)] or [0]
                shape[ones[0]] = 1
            first, second = ("Unsqueeze", "Squeeze") if kind == "unsqueeze" else ("Squeeze", "Unsqueeze")
            if opset >= 13:
                values = {"axes": np.int64(ones[::-1])}
                body = around(f"{first}(z, axes)", between, f"{second}({{}}, axes)")
            else:
                body = around(f"{first} <axes = {ones}> (z)", between, f"{second} <axes = {ones}> ({{}})")
        model = model_of(body, shape, values, opset=opset)
        feeds = {"x": rng.normal(size=shape).astype(np.float32)}
        result = assert_rewritten(REWRITE, model, feeds, 0)
        assert kinds(result) == [
            "Sigmoid",
            *([] if not between else ["Relu"] if "Relu" in between else ["Tanh", "Abs"]),
            "Neg",
        ]


def test_an_output_of_the_graph_keeps_its_name() -> None:
    model = model_of(
        "z = Relu(x) a = Unsqueeze(z, axes) y = Squeeze(a, axes)", [2, 3], {"axes": np.int64([1])}
    )
    result = assert_rewritten(REWRITE, model, {"x": np.ones((2, 3), np.float32)}, 0)
    assert kinds(result) == ["Relu", "Identity"]


def test_what_a_body_reads_keeps_its_name() -> None:
    body = (
        "a = Unsqueeze(x, axes) w = Squeeze(a, axes) c = ReduceMax <keepdims = 0> (x) b = Cast <to = 9> (c) "
        "y = If (b) <then_branch = t () => (float[2, 3] p) { p = Abs(w) }, "
        "else_branch = e () => (float[2, 3] q) { q = Neg(w) }>"
    )
    model = model_of(body, [2, 3], {"axes": np.int64([1])})
    result = assert_rewritten(REWRITE, model, {"x": -np.ones((2, 3), np.float32)}, 0)
    assert "Identity" in kinds(result)
    assert "Squeeze" not in kinds(result)


def test_one_pair_of_a_chain_of_three_goes() -> None:
    body = "z = Relu(x) a = Unsqueeze(z, axes) b = Squeeze(a, axes) c = Unsqueeze(b, axes) y = Neg(c)"
    result = assert_rewritten(
        REWRITE, model_of(body, [2, 3], {"axes": np.int64([1])}), {"x": np.ones((2, 3), np.float32)}, 0
    )
    assert kinds(result) == ["Relu", "Unsqueeze", "Neg"]


NEAR_MISSES = {
    "other axes": "a = Unsqueeze(x, one) w = Squeeze(a, two) y = Neg(w)",
    "more axes": "a = Unsqueeze(x, one) w = Squeeze(a, both) y = Neg(w)",
    "no axes": "a = Unsqueeze(x, one) w = Squeeze(a) y = Neg(w)",
    "axes that are computed": "h = Shape(x) k = Slice(h, zero, one) a = Unsqueeze(x, k) w = Squeeze(a, k) y = Neg(w)",
    "the same rotation twice": "a = Transpose <perm = [1, 2, 0]> (x) w = Transpose <perm = [1, 2, 0]> (a) y = Neg(w)",
    "reshaped to something else": "a = Reshape(x, flat) w = Reshape(a, other) y = Neg(w)",
    "a node between that is not by element": "a = Transpose <perm = [1, 0, 2]> (x) b = Softmax <axis = 0> (a) "
    "w = Transpose <perm = [1, 0, 2]> (b) y = Neg(w)",
    "a node between that reads another tensor": "a = Unsqueeze(x, one) b = Add(a, a) w = Squeeze(b, one) y = Neg(w)",
    "what is between is read": "a = Unsqueeze(x, one) w = Squeeze(a, one) v = Unsqueeze(w, two) y = Add(v, a)",
    "what is between is an output": "o = Unsqueeze(x, one) w = Squeeze(o, one) y = Neg(w)",
}


@pytest.mark.parametrize("body", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body: str) -> None:
    values = {
        "zero": np.int64([0]),
        "one": np.int64([1]),
        "two": np.int64([2]),
        "both": np.int64([1, 2]),
        "flat": np.int64([-1]),
        "other": np.int64([1, 1]),
    }
    assert_near_miss(REWRITE, body, [1, 1, 1], values)


def test_reshapes_of_unknown_sizes_stay() -> None:
    body = "a = Reshape(x, flat) w = Reshape(a, back) y = Neg(w)"
    values = {"flat": np.int64([-1]), "back": np.int64([-1, 4])}
    assert_left_alone(REWRITE, model_of(body, ["n", 4], values))
