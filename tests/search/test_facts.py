"""What told verdicts imply."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtdebug.search.facts import Facts, LoneFacts, below, bits, digits, lowest, single

masks = st.integers(0, 2**8 - 1)


def test_masks():
    assert below(3) == 0b111
    assert bits(0b1011) == [0, 1, 3]
    assert bits(0) == []
    assert list(digits(0b1011)) == [1, 1, 0, 1]
    assert lowest(0b1011, 2) == 0b11
    assert single(0b100)
    assert not single(0b101)


def test_parts_of_a_pass_pass_and_supersets_of_a_fail_fail():
    facts = Facts()
    facts.add(0b0111, "pass")
    facts.add(0b1100, "fail")
    assert facts.verdict(0b0011) == "pass"
    assert facts.verdict(0b1110) == "fail"
    assert facts.verdict(0b1001) is None
    assert not facts.contradiction


def test_the_empty_set_passes_whatever_contradicts():
    facts = Facts()
    facts.add(0b0111, "pass")
    facts.add(0b0010, "fail")
    assert facts.contradiction
    assert facts.largest_pass() == 0


def test_only_the_strongest_facts_are_kept():
    facts = Facts()
    for mask in (0b001, 0b011, 0b001):
        facts.add(mask, "pass")
    for mask in (0b11100, 0b01100, 0b11100):
        facts.add(mask, "fail")
    assert facts.passes == [0b011]
    assert facts.fails == [0b01100]


def test_untestable_holds_for_the_very_set_and_yields_to_what_is_known():
    facts = Facts()
    facts.add(0b11, "untestable")
    assert facts.verdict(0b11) == "untestable"
    assert facts.verdict(0b01) is None
    facts.add(0b111, "pass")
    facts.add(0b11, "untestable")
    assert facts.verdict(0b11) == "pass"
    assert not facts.contradiction


def test_fail_wins_a_contradiction():
    for first, second in ((("pass", 0b11), ("fail", 0b01)), (("fail", 0b01), ("pass", 0b11))):
        facts = Facts()
        facts.add(first[1], first[0])
        facts.add(second[1], second[0])
        assert facts.contradiction
        assert facts.verdict(0b11) == facts.verdict(0b01) == "fail"


def test_the_empty_set_cannot_fail():
    facts = Facts()
    facts.add(0, "fail")
    assert facts.contradiction
    assert facts.verdict(0) == "pass"


def test_culprits_are_proven_minimal():
    facts = Facts()
    facts.add(0b0011, "fail")
    facts.add(0b0100, "fail")
    assert list(facts.culprits()) == [0b0100]
    facts.add(0b0001, "pass")
    facts.add(0b0010, "pass")
    assert sorted(facts.culprits()) == [0b0011, 0b0100]


def test_prefixes():
    facts = Facts()
    facts.add(0b000111, "pass")
    facts.add(0b011000, "fail")
    assert facts.passes_below(0, 0b111111) == 3
    assert facts.fails_below(0, 0b111111) == 5
    assert facts.fails_below(0b010000, 0b001111) == 4
    assert facts.passes_below(0b100000, 0b011111) == 0
    assert facts.fails_below(0, 0b000111) is None
    assert facts.cleared() == 0b000111
    assert facts.smallest_fail(0b111111) == 0b011000
    assert facts.smallest_fail(0b001111) == 0
    assert facts.largest_pass() == 0b000111


@given(st.lists(st.tuples(masks, st.sampled_from(["pass", "fail", "untestable"]))), masks, masks)
def test_whatever_is_told_the_facts_stay_monotone(told, a, b):
    facts = Facts()
    for mask, verdict in told:
        copy = facts.assume(mask, verdict)
        facts.add(mask, verdict)
        assert copy.passes == facts.passes
        assert copy.fails == facts.fails
        assert copy.untestable == facts.untestable
    if facts.verdict(a | b) == "pass":
        assert facts.verdict(a) == "pass"
    if facts.verdict(a) == "fail":
        assert facts.verdict(a | b) == "fail"


def test_where_culprits_fail_alone_passing_sets_pass_together():
    facts = LoneFacts()
    facts.add(0b0011, "pass")
    facts.add(0b1100, "pass")
    assert facts.verdict(0b1111) == "pass"
    facts.add(0b110001, "fail")
    assert facts.fails == [0b110000]
    facts.add(0b010000, "pass")
    assert list(facts.culprits()) == [0b100000]
    assert not facts.contradiction
    facts.add(0b1000000, "untestable")
    assert facts.verdict(0b1000000) == "untestable"


def test_a_broken_promise_is_a_contradiction():
    facts = LoneFacts()
    facts.add(0b011, "fail")
    facts.add(0b001, "pass")
    facts.add(0b010, "pass")
    assert facts.contradiction
    facts = LoneFacts()
    facts.add(0b0111, "pass")
    facts.add(0b0011, "fail")
    assert facts.contradiction
    assert facts.verdict(0b0011) == "fail"
    facts.add(0b0011, "pass")
    assert facts.verdict(0b0011) == "fail"
