"""Equal rows in, equal rows out."""

from __future__ import annotations

import numpy as np

from trtdebug.oracle.rows import uneven, with_equal_rows
from trtdebug.oracle.tolerance import Limits

FP16 = Limits(rms=1e-2)
X = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_every_row_becomes_the_first():
    feeds = with_equal_rows({"x": X, "ids": np.array([7, 8, 9]), "table": np.ones((5, 2)), "k": np.array(3)})
    np.testing.assert_array_equal(feeds["x"], [[0, 1]] * 3)
    np.testing.assert_array_equal(feeds["ids"], [7, 7, 7])
    assert feeds["table"].shape == (5, 2)
    assert X[1, 0] == 2, "the sample itself stays"


def test_without_a_batch_there_is_nothing_to_make_equal():
    assert with_equal_rows({"x": X[:1], "k": np.array(3)}) == {}


def test_outputs_whose_rows_differ():
    feeds = with_equal_rows({"x": X})
    outputs = {
        "same": np.ones((3, 4), np.float32),
        "rounding": np.array([[1.0], [1.0005], [1.0]], np.float32),
        "odd": np.array([[1.0], [1.0], [2.0]], np.float32),
        "nan": np.array([[1.0], [np.nan], [1.0]], np.float32),
        "classes": np.array([4, 4, 5]),
        "not batched": np.arange(7.0),
    }
    assert uneven(feeds, outputs, FP16) == ("odd", "nan", "classes")
