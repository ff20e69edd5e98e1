"""Repeated leftmost bisection, alone and on interacting, untestable, contradictory and diffuse cases."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import pytest
from driving import drive
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_dags import two_branches
from planted_sets import Planted

from trtdebug.core.errors import UserError
from trtdebug.search.leftmost import Leftmost, likeliest_first
from trtdebug.search.types import Answer, Subset


def everything(n: int) -> Subset:
    return frozenset(range(n))


def failing(n: int, **options) -> Leftmost:
    """A search that was told that the whole fails, as a session does."""
    search = Leftmost(n, **options)
    search.tell(everything(n), "fail")
    return search


def solve(n: int, test: Planted, **options) -> Answer:
    return drive(failing(n, **options), test)


@st.composite
def antichains(draw, most: int = 12):
    """n <= 12 items and up to 4 minimal failing sets of up to 3 items each."""
    n = draw(st.integers(1, most))
    sets = st.frozensets(st.integers(0, n - 1), min_size=1, max_size=3)
    return n, Planted(draw(st.lists(sets, min_size=1, max_size=4))).culprits


weights = st.lists(st.floats(0, 10), min_size=12, max_size=12)


def test_one_culprit_by_name():
    answer = solve(8, Planted([[5]]))
    assert answer.culprits == (frozenset({5}),)
    assert answer.protect == {5}
    assert answer.exact
    assert answer.unresolved == frozenset()
    assert answer.note == ""


def test_a_pair_that_fails_only_jointly_needs_one_pin():
    answer = solve(50, Planted([[7, 31]]))
    assert answer.culprits == (frozenset({7, 31}),)
    assert answer.exact
    assert len(answer.protect & {7, 31}) == 1
    assert len(answer.protect) == 1


def test_without_being_told_it_asks_for_the_whole_first():
    search = Leftmost(5)
    assert search.ask() == (everything(5),)
    assert search.suspects() == everything(5)
    search.tell(everything(5), "pass")
    assert search.ask() == ()
    assert search.suspects() == frozenset()
    assert search.result() == Answer((), frozenset(), exact=True, trials=1)


def test_no_items_is_a_pass():
    assert drive(Leftmost(0), Planted([])) == Answer((), frozenset(), exact=True)


@pytest.mark.parametrize(
    ("n", "culprits", "most"), [(300, 1, 10.3), (300, 3, 26.9), (1000, 1, 12.0), (1000, 3, 32.3)]
)
def test_the_set_is_exact_and_costs_few_trials(n, culprits, most):
    """The figures of bench/search.py, + 5 % for the smaller sample."""
    total = 0
    for seed in range(200):
        planted = random.Random(seed).sample(range(n), culprits)
        test = Planted([[item] for item in planted])
        answer = solve(n, test)
        assert answer.exact
        assert set(answer.culprits) == test.culprits
        assert answer.protect == set(planted)
        assert len(test.asked) == len(set(test.asked)) == answer.trials
        total += answer.trials
    assert total / 200 <= most * 1.05


@pytest.mark.parametrize(
    ("n", "culprits", "most"), [(300, 1, 10.3), (300, 3, 26.9), (1000, 1, 12.0), (1000, 3, 32.3)]
)
def test_culprits_promised_to_fail_alone_cost_fewer_still(n, culprits, most):
    """The same figures with the test of the whole counted, too, + 3 % for the smaller sample."""
    total = 0
    for seed in range(100):
        test = Planted([[item] for item in random.Random(seed).sample(range(n), culprits)])
        answer = drive(Leftmost(n, lone=True), test)
        assert answer.exact
        assert set(answer.culprits) == test.culprits
        total += answer.trials
    assert total / 100 <= most * 1.03


@given(
    st.sets(st.integers(0, 19), max_size=6),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 500),
    st.integers(1, 3),
)
@settings(max_examples=200, deadline=None)
def test_promised_to_fail_alone_also_with_untestable_subsets(planted, share, seed, width):
    test = Planted([[item] for item in planted], untestable=share, seed=seed)
    answer = drive(Leftmost(20, lone=True, width=width), test)
    named = frozenset().union(*answer.culprits)
    assert named <= planted <= named | answer.unresolved
    assert answer.exact or share
    assert len(test.asked) == len(set(test.asked))


def test_many_culprits_cost_few_trials():
    total = 0
    for seed in range(20):
        test = Planted([[item] for item in random.Random(seed).sample(range(1000), 10)])
        assert set(solve(1000, test).culprits) == test.culprits
        total += len(test.asked)
    assert total / 20 <= 100.5


def test_an_interacting_pair_costs_few_trials():
    total = 0
    for seed in range(100):
        test = Planted([random.Random(seed).sample(range(1000), 2)])
        search = failing(1000)
        while not search.result().culprits:
            for subset in search.ask():
                search.tell(subset, test(subset))
        assert set(search.result().culprits) == test.culprits
        total += search.trials
    assert total / 100 <= 22.5 * 1.05


def test_a_good_prior_finds_the_suspect_in_few_trials():
    n, total = 1000, 0
    for seed in range(200):
        rng = random.Random(seed)
        ranking = rng.sample(range(n), n)
        prior = [0.0] * n
        for rank, item in enumerate(ranking):
            prior[item] = 0.9 / 5 if rank < 5 else 0.1 / (n - 5)
        culprit = ranking[seed // 10 % 5 if seed % 10 else rng.randrange(5, n)]
        test = Planted([[culprit]])
        search = failing(n, weights=prior)
        while search.suspects() != {culprit} and not search.result().culprits:
            (subset,) = search.ask()
            search.tell(subset, test(subset))
        total += search.trials
        assert drive(search, test).culprits == (frozenset({culprit}),)
    assert total / 200 <= 3.7 * 1.05


def test_a_wrong_prior_costs_trials_but_never_truth():
    answer = solve(100, Planted([[3], [77]]), weights=[0.0] * 50 + [1.0] * 10 + [0.0] * 40)
    assert set(answer.culprits) == {frozenset({3}), frozenset({77})}
    assert answer.exact


@given(antichains(), weights, st.integers(1, 4))
@settings(max_examples=400, deadline=None)
def test_any_failing_sets(case, prior, width):
    """Whatever interacts: named culprits are minimal failing sets, and protect holds no needless pin."""
    n, culprits = case
    test = Planted(culprits)
    answer = solve(n, test, weights=prior[:n], width=width)
    assert answer.exact
    assert answer.culprits
    assert set(answer.culprits) <= culprits
    assert test.truth(everything(n) - answer.protect) == "pass"
    assert all(test.truth(everything(n) - answer.protect | {item}) == "fail" for item in answer.protect)
    assert answer.protect <= frozenset().union(*answer.culprits)
    assert len(test.asked) == len(set(test.asked))
    if all(len(culprit) == 1 for culprit in culprits):
        assert set(answer.culprits) == culprits


@given(antichains(), st.sampled_from([0.2, 0.5, 0.9, 1.0]), st.integers(0, 1000), weights)
@settings(max_examples=400, deadline=None)
def test_untestable_subsets_never_lead_to_a_wrong_name(case, share, seed, prior):
    n, culprits = case
    test = Planted(culprits, untestable=share, seed=seed)
    answer = solve(n, test, weights=prior[:n])
    assert set(answer.culprits) <= culprits
    assert test.truth(everything(n) - answer.protect) == "pass"
    named = frozenset().union(*answer.culprits)
    assert all(culprit & (named | answer.unresolved) for culprit in culprits)
    if all(len(culprit) == 1 for culprit in culprits):
        assert frozenset().union(*culprits) <= named | answer.unresolved
    if answer.exact:
        assert answer.unresolved == frozenset()
        assert answer.protect <= named
    else:
        assert answer.unresolved
        assert "could not be tested" in answer.note
    assert len(test.asked) == len(set(test.asked))


def test_a_fifth_untestable_on_a_big_case():
    exact = 0
    for seed in range(60):
        planted = frozenset(random.Random(seed).sample(range(300), 3))
        test = Planted([[item] for item in planted], untestable=0.2, seed=seed)
        answer = solve(300, test)
        named = frozenset().union(*answer.culprits)
        assert named <= planted <= named | answer.unresolved
        assert answer.exact == (named == planted and not answer.unresolved)
        assert len(answer.unresolved) <= 12
        exact += answer.exact
    assert exact >= 15


def test_nothing_testable_ends_soon_and_names_nobody():
    test = Planted([[40]], untestable=1.0)
    answer = solve(100, test)
    assert answer.culprits == ()
    assert answer.unresolved == everything(100)
    assert len(test.asked) < 100


def test_a_whole_that_cannot_be_tested_is_searched_from_its_parts():
    search = Leftmost(40)
    search.tell(everything(40), "untestable")
    answer = drive(search, Planted([[9]]))
    assert answer.culprits == (frozenset({9}),)
    assert answer.exact


def test_outside_evidence_is_used():
    search = failing(1000)
    search.tell(frozenset({5}), "fail")
    test = Planted([[5]])
    answer = drive(search, test)
    assert answer.culprits == (frozenset({5}),)
    assert answer.exact
    assert len(test.asked) == answer.trials <= 4

    search = failing(1000)
    search.tell(frozenset(range(990, 998)), "fail")
    test = Planted([[992]])
    assert drive(search, test).culprits == (frozenset({992}),)
    assert len(test.asked) <= 6


def test_both_overlapping_pairs_are_named_when_both_are_known():
    search = failing(6)
    for subset in ({1, 2}, {1, 4}):
        search.tell(frozenset(subset), "fail")
    answer = drive(search, Planted([[1, 2], [1, 4]]))
    assert set(answer.culprits) == {frozenset({1, 2}), frozenset({1, 4})}
    assert answer.protect in ({1}, {2, 4})


def test_a_contradiction_is_reported_and_fail_wins():
    search = failing(20)
    search.tell(frozenset({3}), "fail")
    search.tell(frozenset({3, 4}), "pass")
    answer = drive(search, Planted([[3]]))
    assert answer.culprits == (frozenset({3}),)
    assert not answer.exact
    assert "contradiction" in answer.note


def test_a_budget_ends_it_with_what_is_known():
    test = Planted([[10], [200]])
    answer = solve(300, test, max_trials=13)
    assert answer.trials == len(test.asked) == 13
    assert answer.culprits == (frozenset({10}),)
    assert not answer.exact
    assert 200 in answer.unresolved
    assert 10 not in answer.unresolved
    assert {10, 200} <= answer.protect
    assert answer.note == "stopped before the end"


def test_too_many_culprits_are_called_diffuse():
    test = Planted([[item] for item in range(0, 60, 3)])
    answer = solve(60, test, max_culprits=4)
    assert len(answer.culprits) == 5
    assert not answer.exact
    assert answer.note.startswith("diffuse")
    assert frozenset(range(0, 60, 3)) <= frozenset().union(*answer.culprits) | answer.unresolved


@given(antichains(), st.integers(0, 30), st.sampled_from([0.0, 0.3]), st.integers(1, 3), st.booleans())
@settings(max_examples=150, deadline=None)
def test_told_the_same_it_asks_the_same(case, point, share, width, ranked):
    n, culprits = case
    test = Planted(culprits, untestable=share)
    options = {
        "weights": [float(item % 3) for item in range(n)] if ranked else None,
        "max_culprits": 3,
        "lone": point % 2 == 0,
    }
    options["edges"] = [(item, item + 1) for item in range(n - 1)] if ranked else None
    search, twin = failing(n, width=width, **options), failing(n, width=width, **options)
    for _ in range(point):
        for subset in search.ask():
            verdict = test(subset)
            search.tell(subset, verdict)
            twin.tell(subset, verdict)  # that it had not asked for
    assert replace(twin.result(), trials=search.trials) == search.result()
    while questions := search.ask():
        assert twin.ask() == questions
        assert search.ask() == questions
        for subset in questions:
            verdict = test(subset)
            search.tell(subset, verdict)
            twin.tell(subset, verdict)
    assert twin.ask() == ()
    assert replace(twin.result(), trials=search.trials) == search.result()


@pytest.mark.parametrize(("width", "most"), [(2, 8), (4, 5), (8, 4)])
def test_more_builders_need_fewer_rounds(width, most):
    """Rounds to the end, with proof, n=1000."""
    for seed in range(20):
        test = Planted([[random.Random(seed).randrange(1000)]])
        search, rounds = failing(1000, width=width), 0
        while questions := search.ask():
            assert 1 <= len(set(questions)) == len(questions) <= width
            for subset in questions:
                search.tell(subset, test(subset))
            rounds += 1
        assert set(search.result().culprits) == test.culprits
        assert search.result().exact
        assert rounds <= most


def test_eight_builders_look_into_several_failing_sets_at_once():
    rounds = 0
    for seed in range(10):
        test = Planted([[item] for item in random.Random(seed).sample(range(1000), 5)])
        search = failing(1000, width=8)
        while questions := search.ask():
            for subset in questions:
                search.tell(subset, test(subset))
            rounds += 1
        assert set(search.result().culprits) == test.culprits
    assert rounds / 10 <= 11


def test_what_is_left_undecided_lies_in_one_branch():
    """Nothing smaller than ten nodes can be tested: the culprit's branch is left, not a slice of both."""
    n, edges = two_branches()
    first = frozenset(range(0, 40, 2))
    search = failing(n, edges=edges)
    while questions := search.ask():
        for subset in questions:
            verdict = "fail" if 10 in subset else "pass"
            search.tell(subset, verdict if len(subset) >= 10 else "untestable")
    answer = search.result()
    assert not answer.exact
    assert 10 in answer.unresolved
    assert answer.unresolved <= first


def test_like_weights_stand_branch_by_branch():
    edges = [(0, 2), (2, 4), (1, 3), (3, 4)]
    assert likeliest_first(5, [1.0] * 5, edges) == [0, 2, 1, 3, 4]
    assert likeliest_first(5, [1.0, 1.9, 0.0, 4.0, 1.0], edges) == [3, 0, 1, 4, 2]
    assert likeliest_first(3, [1.0, 1.0, 2.0], None) == [2, 0, 1]


def test_every_pair_of_six_is_found():
    for pair in combinations(range(6), 2):
        assert solve(6, Planted([pair])).culprits == (frozenset(pair),)


@pytest.mark.parametrize("prior", [[1.0], [1.0, -1.0], [1.0, float("nan")], [float("inf"), 1.0]])
def test_a_bad_prior_is_refused(prior):
    with pytest.raises(UserError, match="weights for 2 items"):
        Leftmost(2, prior)


def test_pairs_that_fail_together_are_hunted_beside_each_other():
    """Parts of a failing set that pass by themselves tell of an interaction: it is shrunk as one builder would."""
    pairs = [[4 * place, 4 * place + 2] for place in random.Random(1).sample(range(25), 10)]
    rounds, protected = {}, set()
    for width in (1, 2, 4):
        test, search, rounds[width] = Planted(pairs), failing(100, width=width), 0
        while questions := search.ask():
            for subset in questions:
                search.tell(subset, test(subset))
            rounds[width] += 1
        assert set(search.result().culprits) == test.culprits
        assert search.result().exact
        protected.add(search.result().protect)
    assert len(protected) == 1
    assert rounds[2] < rounds[1] / 1.5
    assert rounds[4] < rounds[1] / 2.5
