"""What an engine takes for an input."""

from __future__ import annotations

import numpy as np
import pytest

from trtdebug.backends.tensorrt.run import EngineInput
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure

X = EngineInput("x", np.dtype(np.float32), (0, 4), (8, 4))
TARGET = EngineInput("target", np.dtype(np.int32), (2,), (2,), True, Profile((2, 3), (2, 3), (4, 6)))


def test_a_feed_within_the_profile_is_taken_as_it_is() -> None:
    for rows in (0, 1, 8):
        assert X.taken({"x": np.ones((rows, 4), np.float32)}).shape == (rows, 4)
    taken = TARGET.taken({"target": np.int64([4, 3])})
    assert (taken.dtype, taken.tolist()) == (np.int32, [4, 3])


def test_a_shape_is_taken_as_a_copy() -> None:
    fed = np.int32([4, 3])
    taken = TARGET.taken({"target": fed})
    fed[:] = 0
    assert taken.tolist() == [4, 3]


@pytest.mark.parametrize(
    ("wanted", "feeds", "message"),
    [
        (X, {}, "'x', which is not given"),
        (X, {"x": np.ones((9, 4), np.float32)}, r"'x' has shape \(9, 4\); the engine takes \(0, 4\) to \(8, 4\)"),
        (X, {"x": np.ones(4, np.float32)}, r"'x' has shape \(4,\)"),
        (X, {"x": np.ones((1, 4), np.int32)}, "'x' is int32; the engine takes float32"),
        (TARGET, {"target": np.int64([2, 7])}, r"holds the shape \[2, 7\]; the engine takes \[2, 3\] to \[4, 6\]"),
    ],
)  # fmt: skip
def test_any_other_is_refused_by_name(
    wanted: EngineInput, feeds: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(BuildFailure, match=message):
        wanted.taken(feeds)


def test_an_input_that_the_parser_renamed_is_fed_under_its_own_name() -> None:
    renamed = EngineInput("__x", np.dtype(np.float32), (1,), (1,))
    assert renamed.taken({"x": np.float32([3])}).tolist() == [3]
