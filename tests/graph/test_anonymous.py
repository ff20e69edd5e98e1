"""Models that tell nothing of where they come from."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import numpy_helper
from seed_models import mnist, with_if

from trtdebug.graph.anonymous import Names, anonymous, random_like
from trtdebug.graph.fresh import names_in
from trtdebug.graph.index import GraphIndex

FLOATS = st.floats(width=32) | st.sampled_from([0.0, -1e9, float("inf"), float("nan")])


@given(
    hnp.arrays(np.float32, st.sampled_from([(0,), (3,), (40,), (4, 9)]), elements=FLOATS), st.integers(0, 9)
)
def test_random_numbers_keep_range_shape_type_and_what_is_not_finite(array: np.ndarray, seed: int) -> None:
    for spread in ("uniform", "normal"):
        made = random_like(array, np.random.default_rng(seed), spread)
        assert (made.shape, made.dtype) == (array.shape, array.dtype)
        assert np.array_equal(np.isfinite(made), np.isfinite(array))
        assert np.array_equal(made[~np.isfinite(made)], array[~np.isfinite(array)], equal_nan=True)
        finite = array[np.isfinite(array)]
        if finite.size:
            assert finite.min() <= made[np.isfinite(made)].min()
            assert made[np.isfinite(made)].max() <= finite.max()


def test_a_mask_stays_one_and_short_integers_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    mask = np.where(np.arange(64).reshape(8, 8) % 3, 0.0, -1e9).astype(np.float32)
    assert set(random_like(mask, rng, "uniform").ravel()) == {0.0, np.float32(-1e9)}
    shape = np.array([1, -1, 64])
    assert random_like(shape, rng, "normal") is shape
    tokens = rng.integers(5, 1000, (4, 32))
    made = random_like(tokens, rng, "uniform")
    assert tokens.min() <= made.min()
    assert made.max() <= tokens.max()
    assert not np.array_equal(made, tokens)


def test_no_name_is_left_and_the_structure_stays() -> None:
    model = with_if()
    model.graph.doc_string = model.producer_name = "secret"
    model.metadata_props.add(key="who", value="secret")
    other = anonymous(model, Names())
    assert not set(names_in(model.graph)) & set(names_in(other.graph)) - {""}
    assert b"secret" not in other.SerializeToString()
    onnx.checker.check_model(other)
    before, after = GraphIndex(model), GraphIndex(other)
    assert [n.op for n in before.nodes] == [n.op for n in after.nodes]
    assert [len(n.captured) for n in before.nodes] == [len(n.captured) for n in after.nodes]


def test_each_time_the_names_are_others_and_weights_are_what_is_asked_for() -> None:
    model = mnist()
    first, second = (anonymous(model, Names(), lambda a: a * 0) for _ in range(2))
    assert not set(names_in(first.graph)) & set(names_in(second.graph)) - {""}
    assert not any(numpy_helper.to_array(t).any() for t in first.graph.initializer)
    assert any(numpy_helper.to_array(t).any() for t in model.graph.initializer)


def test_functions_are_refused() -> None:
    model = mnist()
    model.functions.add(name="f", domain="d")
    with pytest.raises(ValueError, match="functions"):
        anonymous(model, Names())
