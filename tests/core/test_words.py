"""Lists of names in messages."""

from __future__ import annotations

from trtdebug.core.words import listed


def test_what_is_left_out_is_counted() -> None:
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(map(repr, ["a", "b", "c", "d"]), 2) == "'a', 'b' and 2 more"
    assert listed([], 2) == ""
