"""A Loop without a condition gets one that is true: what ONNX takes it for."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from rewriting import assert_rewritten
from seed_models import model_of, node, value, weight

from trtdebug.fixes.rewrites.loop_condition import REWRITE
from trtdebug.graph.rewrite import apply

BODY = helper.make_graph(
    [node("Mul", ["a", "two"], ["b"], "double"), node("Identity", ["go"], ["on"], "keep")],
    "body",
    [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("a", [1, 8])],
    [value("on", [], TensorProto.BOOL), value("b", [1, 8])],
)


def loop(condition: str, trips: str = "three") -> onnx.ModelProto:
    """x * 2 ** 3, in a Loop."""
    return model_of(
        [node("Loop", [trips, condition, "x"], ["y"], "loop", body=BODY)],
        [value("x", [1, 8])],
        [value("y", [1, 8])],
        [weight("two", 2.0), weight("three", np.int64(3)), weight("go_on", np.bool_(True))],
    )


def test_an_omitted_condition_is_true() -> None:
    x = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32)
    result = assert_rewritten(REWRITE, loop(""), {"x": x}, 0)
    [again] = result.graph.node
    assert (again.name, again.input[1]) == ("loop", "loop_condition")


def test_one_that_is_there_is_left_alone() -> None:
    assert apply(REWRITE, loop("go_on")) is None
