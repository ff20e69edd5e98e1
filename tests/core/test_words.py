"""Names in messages: lists of them, and what may have been meant."""

from __future__ import annotations

from trtdebug.core.words import did_you_mean, listed


def test_what_is_left_out_is_counted() -> None:
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(map(repr, ["a", "b", "c", "d"]), 2) == "'a', 'b' and 2 more"
    assert listed([], 2) == ""


def test_what_may_have_been_meant() -> None:
    assert did_you_mean("tensort", ["onnxruntime", "tensorrt"], "See the list.") == "Did you mean tensorrt?"
    assert did_you_mean("tvm", ["onnxruntime", "tensorrt"], "See the list.") == "See the list."
