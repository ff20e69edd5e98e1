"""Reverting needless pins."""

from __future__ import annotations

from dataclasses import replace

from driving import drive
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sets import Planted

from trtdebug.search.protect import MinimalProtect


def test_needless_pins_are_reverted_in_groups():
    search = MinimalProtect(100, range(64))
    test = Planted([[10], [40]])
    answer = drive(search, test)
    assert answer.protect == {10, 40}
    assert answer.exact
    assert len(test.asked) <= 20


def test_known_needs_are_not_tried():
    test = Planted([[1], [2], [3]])
    search = MinimalProtect(10, [1, 2, 3], necessary=[1, 2, 3])
    answer = drive(search, test)
    assert answer.protect == {1, 2, 3}
    assert test.asked == [frozenset({0, 4, 5, 6, 7, 8, 9})]


def test_a_protect_set_that_does_not_pass_is_said_so():
    answer = drive(MinimalProtect(5, [1]), Planted([[2]]))
    assert not answer.exact
    assert answer.note == "protecting the given set: fail"
    assert answer.protect == frozenset(range(5))
    assert MinimalProtect(5, [1]).result().note == "protecting the given set: not tested yet"


def test_stopped_early_it_knows_a_passing_set():
    test = Planted([[3], [30]])
    answer = drive(MinimalProtect(64, range(64), max_trials=5), test)
    assert not answer.exact
    assert test.truth(frozenset(range(64)) - answer.protect) == "pass"
    assert {3, 30} <= answer.protect


def test_contradictions_are_reported():
    search = MinimalProtect(4, [0, 1])
    search.tell(frozenset({2, 3}), "pass")
    search.tell(frozenset({0}), "pass")
    search.tell(frozenset({0}), "fail")
    answer = drive(search, Planted([[0]]))
    assert answer.protect == {0}
    assert not answer.exact
    assert "contradiction" in answer.note


cases = st.lists(st.frozensets(st.integers(0, 9), min_size=1, max_size=3), min_size=1, max_size=4)


@given(cases, st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 1000), st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_what_is_left_passes_and_is_minimal(culprits, share, seed, width):
    test = Planted(culprits, untestable=share, seed=seed)
    search = MinimalProtect(10, range(10), width=width)
    answer = drive(search, test)
    everything = frozenset(range(10))
    assert test.truth(everything - answer.protect) == "pass"
    needed = {item for item in answer.protect if test.truth(everything - answer.protect | {item}) == "fail"}
    assert answer.protect <= needed | answer.unresolved
    assert share or answer.exact
    assert len(test.asked) == len(set(test.asked))


def test_told_the_same_it_asks_the_same():
    search, twin = (MinimalProtect(20, range(10), necessary=[2]) for _ in range(2))
    test = Planted([[2], [5]])
    for _ in range(3):
        (subset,) = search.ask()
        search.tell(subset, test(subset))
        twin.tell(subset, test(subset))  # that it had not asked for
    assert twin.ask() == search.ask()
    found = drive(search, test)
    assert replace(drive(twin, test), trials=found.trials) == found
