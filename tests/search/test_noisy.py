"""Bayesian search: verdicts that are sometimes wrong, on single, several, interacting and untestable cases."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from driving import drive
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sets import Planted

from trtdebug.core.errors import UserError
from trtdebug.search.belief import Belief, Decided
from trtdebug.search.noisy import Noisy, Told
from trtdebug.search.types import Answer, Subset, Verdict


class Flaky:
    """A planted test whose verdicts are wrong at a rate."""

    def __init__(self, test: Planted, rate: float, seed: int) -> None:
        self.test, self.rate, self.random = test, rate, random.Random(seed)

    def __call__(self, subset: Subset) -> Verdict:
        verdict = self.test(subset)
        if verdict == "untestable" or self.random.random() >= self.rate:
            return verdict
        return "pass" if verdict == "fail" else "fail"


def failing(n: int, **options) -> Noisy:
    search = Noisy(n, **options)
    search.tell(frozenset(range(n)), "fail")
    return search


def solve(n: int, culprits, rate: float, seed: int, **options) -> Answer:
    return drive(failing(n, **options), Flaky(Planted(culprits), rate, seed))


def test_a_tenth_of_the_verdicts_wrong():
    """The figure of bench/search.py on a smaller sample: at least 99 % right in at most 19 trials."""
    trials = right = 0
    for seed in range(100):
        culprit = random.Random(seed).randrange(300)
        answer = solve(300, [[culprit]], 0.1, seed, flips=(0.1,))
        right += answer.exact and answer.culprits == (frozenset({culprit}),)
        trials += answer.trials
    assert right >= 98
    assert trials / 100 <= 19 * 1.05


def test_several_culprits_with_an_unknown_rate():
    right = 0
    for seed in range(10):
        planted = random.Random(seed).sample(range(60), 3)
        answer = solve(60, [[item] for item in planted], 0.1, seed)
        right += set(answer.culprits) == {frozenset({item}) for item in planted} and answer.exact
    assert right >= 9


@given(st.frozensets(st.integers(0, 19), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_true_verdicts_lead_to_the_exact_set_also_of_items_that_fail_only_jointly(culprit):
    answer = solve(20, [culprit], 0.0, 0)
    assert answer.culprits == (culprit,)
    assert answer.exact
    assert answer.protect == culprit
    assert answer.note == "by repeated trials: each step is at least 99% sure"


def test_a_flaky_pair_is_found():
    right = sum(solve(60, [[7, 31]], 0.1, seed).culprits == (frozenset({7, 31}),) for seed in range(10))
    assert right >= 9


def test_a_good_prior_saves_trials():
    prior = [0.001] * 300
    prior[123] = 1.0
    assert solve(300, [[123]], 0.1, 3, weights=prior).trials < 12


def test_nothing_wrong_names_nobody():
    search = Noisy(30)
    answer = drive(search, Planted([]))
    assert answer.culprits == ()
    assert answer.exact
    assert answer.protect == frozenset()
    assert drive(Noisy(0), Planted([])).exact


@given(st.integers(0, 19), st.sampled_from([0.2, 0.5, 1.0]), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_untestable_subsets_never_lead_to_a_wrong_name(culprit, share, seed):
    test = Planted([[culprit]], untestable=share, seed=seed)
    answer = drive(failing(20, max_trials=200), test)
    named = frozenset().union(*answer.culprits)
    assert named <= {culprit}
    assert culprit in named | answer.unresolved
    if not answer.exact:
        assert "could not be tested" in answer.note
    untestable = [subset for subset in test.asked if test._chance(subset) < share and subset]
    assert len(untestable) == len(set(untestable))


def test_verdicts_of_before_count():
    search = failing(3)
    for _ in range(6):
        search.tell(frozenset({0, 1}), "fail")
        search.tell(frozenset({0}), "pass")
        search.tell(frozenset({1}), "pass")
    assert search.result().culprits == (frozenset({0, 1}),)


def test_a_budget_ends_it_with_what_is_known():
    test = Planted([[10], [200]])
    answer = drive(failing(300, max_trials=20), test)
    assert answer.trials == 20
    assert not answer.exact
    assert "stopped before the end" in answer.note
    assert {10, 200} <= frozenset().union(*answer.culprits) | answer.unresolved | answer.protect


def test_the_same_subset_may_be_asked_for_again():
    flaky = Flaky(Planted([[3]]), 0.3, 1)
    drive(failing(8), flaky)
    assert len(flaky.test.asked) > len(set(flaky.test.asked))


@given(st.integers(0, 29), st.integers(0, 20), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_told_the_same_it_asks_the_same(culprit, point, width):
    edges = [(item, item + 1) for item in range(29)]
    weights = [1.0 + item % 3 for item in range(30)]
    search, twin = (failing(30, width=width, edges=edges, weights=weights) for _ in range(2))
    flaky = Flaky(Planted([[culprit]]), 0.1, culprit)
    for _ in range(point):
        for subset in search.ask():
            verdict = flaky(subset)
            search.tell(subset, verdict)
            twin.tell(subset, verdict)  # that it had not asked for
    assert twin.ask() == search.ask()
    assert replace(twin.result(), trials=search.trials) == search.result()


def test_more_builders_need_fewer_rounds():
    rounds = {}
    for width in (1, 4):
        search, flaky = failing(300, width=width, flips=(0.1,)), Flaky(Planted([[77]]), 0.1, 5)
        rounds[width] = 0
        while questions := search.ask():
            assert len(set(questions)) == len(questions) <= width
            rounds[width] += 1
            for subset in questions:
                search.tell(subset, flaky(subset))
        assert search.result().culprits == (frozenset({77}),)
    assert rounds[4] < rounds[1]


@pytest.mark.parametrize(
    "options", [{"flips": ()}, {"flips": (0.5,)}, {"flips": (0.0,)}, {"confidence": 0.5}, {"confidence": 1.0}]
)
def test_impossible_rates_are_refused(options):
    with pytest.raises(UserError, match="search: flips="):
        Noisy(3, **options)


def test_what_passes_more_often_than_it_fails_passes():
    told = Told()
    for mask, verdict in ((0b11, "pass"), (0b11, "fail"), (0b1, "pass"), (0b111, "untestable")):
        told = told.assume(mask, verdict)
    assert told.passing() == 0b1
    assert told.untestable == {0b111}


def test_belief_by_hand():
    belief = Belief(np.ones(4), none=0.5, flips=(0.1,))
    assert belief.none == pytest.approx(0.5)
    assert belief.items.sum() == pytest.approx(0.5)
    assert belief.decided(0.99) is None
    everything = np.ones(4)
    assert belief.after(everything, failed=True).none == pytest.approx(0.1)  # odds 1:1 become 1:9
    assert belief.information(np.zeros(4)) == pytest.approx(0)
    assert 0 < belief.information(everything) < 1
    for _ in range(4):
        belief = belief.after(everything, failed=False)
    assert belief.decided(0.99) == Decided("none")
