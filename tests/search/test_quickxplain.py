"""Shrinking a failing set."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sets import Planted

from trtdebug.search import quickxplain
from trtdebug.search.facts import Facts, bits
from trtdebug.search.prefix import halve, outwards


def shrink(failing: int, test: Planted) -> tuple[int, int, bool]:
    """The smallest failing set reached, the questions, and whether it is proven."""
    facts, count = Facts(), 0
    facts.add(failing, "fail")
    while True:
        mask = facts.smallest_fail(failing)
        question = None if mask in facts.culprits() else quickxplain.question(facts, mask, halve)
        if question is None:
            return mask, count, mask in facts.culprits()
        facts.add(question, test(frozenset(bits(question))))
        count += 1


@given(st.sets(st.integers(0, 29), min_size=1, max_size=5))
def test_a_set_that_fails_only_jointly(culprit):
    mask, count, proven = shrink(2**30 - 1, Planted([culprit]))
    assert frozenset(bits(mask)) == culprit
    assert proven
    assert count <= 8 * len(culprit)


@given(st.sets(st.integers(0, 19), min_size=1, max_size=3), st.integers(0, 500))
@settings(max_examples=300)
def test_untestable_parts_are_stepped_around_or_the_set_stays_bigger(culprit, seed):
    mask, _, proven = shrink(2**20 - 1, Planted([culprit], untestable=0.4, seed=seed))
    assert culprit <= frozenset(bits(mask))
    assert proven <= (culprit == frozenset(bits(mask)))


def test_other_parts_do_not_repeat_the_whole():
    for part in quickxplain.parts(0b1111):
        assert 0 < part < 0b1111
    assert set(quickxplain.parts(0b11)) == {0b01, 0b10}


def test_outwards():
    assert list(outwards(3, 5)) == [3, 2, 4, 1, 5]
    assert list(outwards(1, 3)) == [1, 2, 3]
    assert list(outwards(1, 1)) == [1]
    assert list(outwards(1, 0)) == []
