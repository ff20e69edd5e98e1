"""Tensors by their sizes into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtdebug.backends.batches import split


def test_consecutive_tensors_share_a_batch_as_long_as_they_fit():
    assert split("abcde", [4, 4, 2, 9, 1], 8) == [["a", "b"], ["c"], ["d"], ["e"]]


def test_what_is_of_unknown_size_stands_alone():
    assert split("abcd", [1, None, 1, 1], 8) == [["a"], ["b"], ["c", "d"]]


@given(st.lists(st.none() | st.integers(0, 20)), st.integers(1, 30))
def test_all_are_there_in_order_and_fit(sizes, most):
    batches = split([str(i) for i in range(len(sizes))], sizes, most)
    assert [name for batch in batches for name in batch] == [str(i) for i in range(len(sizes))]
    for batch in batches:
        in_it = [sizes[int(name)] for name in batch]
        assert len(batch) == 1 or (None not in in_it and sum(in_it) <= most)
    assert all(batches)
