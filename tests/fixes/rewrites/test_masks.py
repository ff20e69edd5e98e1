"""Masks beyond FP16 become Where(mask, -32768, scores): equal, and rows masked as a whole are no NaN in FP16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rewriting import assert_near_miss, assert_rewritten, fp16_error, model_of

from trtdebug.fixes.rewrites.masks import REWRITE

LOWEST = float(np.finfo(np.float32).min)
BODIES = {
    "constant": "a = Add(x, mask) y = Softmax <axis = -1> (a)",
    "constant first": "a = Add(mask, x) y = Softmax <axis = -1> (a)",
    "filled": "a = Where(keep, x, number) y = Softmax <axis = -1> (a)",
    "filled where masked": "d = Not(keep) a = Where(d, number, x) y = Softmax <axis = -1> (a)",
    "cast": "d = Not(keep) c = Cast <to = 1> (d) m = Mul(c, number) a = Add(x, m) y = Softmax <axis = -1> (a)",
    "flipped": "c = Cast <to = 1> (keep) d = Sub(one, c) m = Mul(d, number) a = Add(x, m) y = Softmax <axis = -1> (a)",
    "chosen": "m = Where(keep, zero, number) a = Add(x, m) y = Softmax <axis = -1> (a)",
    "chosen where masked": "d = Not(keep) m = Where(d, number, zero) a = Add(m, x) y = Softmax <axis = -1> (a)",
}


def case(form: str, rng: np.random.Generator, number: float) -> tuple[object, dict[str, np.ndarray]]:
    """The model and its inputs: some rows are masked as a whole."""
    shape = [int(n) for n in rng.integers(1, 9, rng.integers(2, 5))]
    keep = rng.random(shape[-2:]) < rng.choice([0.2, 0.6])
    keep[0] = False
    values: dict[str, np.ndarray] = {}
    if "constant" in form:
        values["mask"] = np.where(keep, 0, number).astype(np.float32)
    else:
        values["number"] = np.float32(number)
        values |= {"one": np.float32(1)} if "one" in BODIES[form] else {}
        values |= {"zero": np.float32(0)} if "zero" in BODIES[form] else {}
    inputs = "" if "constant" in form else f"bool[{shape[-2]}, {shape[-1]}] keep"
    feeds = {"x": rng.normal(0, 5, shape).astype(np.float32)} | ({} if "constant" in form else {"keep": keep})
    return model_of(BODIES[form], shape, values, inputs=inputs), feeds


@pytest.mark.parametrize("form", BODIES)
def test_equal_on_100_random_shapes(form: str) -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        assert_rewritten(REWRITE, *case(form, rng, float(rng.choice([-1e9, -1e30, LOWEST]))))


@pytest.mark.parametrize("form", BODIES)
def test_rows_masked_as_a_whole_are_safe_in_fp16(form: str, tmp_path: Path) -> None:
    model, feeds = case(form, np.random.default_rng(1), LOWEST)
    assert fp16_error(model, feeds, tmp_path) == np.inf
    assert fp16_error(assert_rewritten(REWRITE, model, feeds), feeds, tmp_path) < 1e-2


def test_a_bias_beside_the_mask_stays() -> None:
    rng = np.random.default_rng(0)
    mask = np.where(rng.random((6, 6)) < 0.5, rng.normal(size=(6, 6)), -1e9).astype(np.float32)
    model = model_of(BODIES["constant"], [2, 6, 6], {"mask": mask})
    assert_rewritten(REWRITE, model, {"x": rng.normal(size=(2, 6, 6)).astype(np.float32)})


def test_a_mask_that_many_share_stays_for_those_that_need_it() -> None:
    body = (
        "c = Cast <to = 1> (keep) m = Mul(c, number) a = Add(x, m) p = Softmax <axis = -1> (a) y = Add(p, m)"
    )
    model = model_of(body, [3, 3], {"number": np.float32(-1e9)}, inputs="bool[3, 3] keep")
    feeds = {"x": np.ones((3, 3), np.float32), "keep": np.eye(3, dtype=bool)}
    result = assert_rewritten(REWRITE, model, feeds)
    assert "m" in {t for node in result.graph.node for t in node.output}


NEAR_MISSES = {
    "not before a softmax": ("a = Add(x, mask) y = Sigmoid(a)", {"mask": [[0, -1e9]]}),
    "read by another, too": (
        "a = Add(x, mask) p = Softmax <axis = -1> (a) y = Add(p, a)",
        {"mask": [[0, -1e9]]},
    ),
    "an output": ("o = Add(x, mask) y = Softmax <axis = -1> (o)", {"mask": [[0, -1e9]]}),
    "subtracted": ("a = Sub(x, mask) y = Softmax <axis = -1> (a)", {"mask": [[0, -1e9]]}),
    "within FP16": ("a = Add(x, mask) y = Softmax <axis = -1> (a)", {"mask": [[0, -6e4]]}),
    "so small that scores are not lost": (
        "a = Add(x, mask) y = Softmax <axis = -1> (a)",
        {"mask": [[0, -1e6]]},
    ),
    "two numbers": ("a = Add(x, mask) y = Softmax <axis = -1> (a)", {"mask": [[-2e9, -1e9]]}),
    "infinite": ("a = Add(x, mask) y = Softmax <axis = -1> (a)", {"mask": [[0, -np.inf]]}),
    "a large bias": ("a = Add(x, mask) y = Softmax <axis = -1> (a)", {"mask": [[4e4, -1e9]]}),
    "two masks of one's own": ("m = Mul(x, n) a = Add(x, m) y = Softmax <axis = -1> (a)", {"n": -1e9}),
    "times numbers that are cast": (
        "i = Cast <to = 7> (x) c = Cast <to = 1> (i) m = Mul(c, n) a = Add(x, m) y = Softmax <axis = -1> (a)",
        {"n": -1e9},
    ),
    "two less a flag": (
        "b = Cast <to = 9> (x) c = Cast <to = 1> (b) d = Sub(two, c) m = Mul(d, n) a = Add(x, m) "
        "y = Softmax <axis = -1> (a)",
        {"n": -1e9, "two": 2},
    ),
    "chosen between two numbers": (
        "b = Cast <to = 9> (x) m = Where(b, two, n) a = Add(x, m) y = Softmax <axis = -1> (a)",
        {"n": -1e9, "two": 2},
    ),
    "filled with infinity": (
        "b = Cast <to = 9> (x) a = Where(b, x, n) y = Softmax <axis = -1> (a)",
        {"n": -np.inf},
    ),
    "filled a row": (
        "b = Cast <to = 9> (x) a = Where(b, x, n) y = Softmax <axis = -1> (a)",
        {"n": [[0, -1e9]]},
    ),
}


@pytest.mark.parametrize(("body", "values"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body: str, values: dict[str, object]) -> None:
    constants = {name: np.asarray(value, np.float32) for name, value in values.items()}
    assert_near_miss(REWRITE, body, [2, 2], constants)
