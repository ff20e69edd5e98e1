"""The smallest failing piece of a graph."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driving import drive
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_dags import Pieces, connected, residual_dag, two_branches
from planted_sets import Planted

from trtdebug.search.piece import SmallestPiece
from trtdebug.search.types import Subset


def failing(graph, **options) -> SmallestPiece:
    search = SmallestPiece(*graph, **options)
    search.tell(frozenset(range(graph[0])), "fail")
    return search


@pytest.mark.parametrize("culprit", range(61))
def test_a_culprit_in_one_branch_does_not_drag_the_other_out(culprit):
    graph = two_branches()
    test = Pieces(graph, frozenset({culprit}), convex_only=True)
    answer = drive(failing(graph), test)
    assert answer.culprits == (frozenset({culprit}),)
    assert answer.exact
    assert answer.trials <= 7
    assert all(test.hull(piece) == piece for piece in test.planted.asked)


@pytest.mark.parametrize("seed", range(100))
def test_connected_nodes_of_graphs_with_residuals_are_recovered(seed):
    graph = residual_dag(seed)
    planted = connected(graph, seed)
    answer = drive(failing(graph), Pieces(graph, planted))
    assert answer.culprits == (planted,)
    assert answer.exact
    assert answer.unresolved == frozenset()


@pytest.mark.parametrize("seed", range(100))
def test_where_only_convex_pieces_can_be_tested_the_smallest_of_them_is_left(seed):
    graph = residual_dag(seed)
    planted = connected(graph, seed)
    test = Pieces(graph, planted, convex_only=True)
    answer = drive(failing(graph), test)
    left = frozenset().union(*answer.culprits) | answer.unresolved
    assert left == test.hull(planted)
    assert answer.exact == bool(answer.culprits)
    assert answer.exact or answer.note == "some pieces could not be tested"


@given(st.integers(0, 300), st.lists(st.frozensets(st.integers(0, 19), min_size=1, max_size=3), min_size=1))
@settings(max_examples=100, deadline=None)
def test_of_several_culprits_one_is_found(seed, sets):
    graph = residual_dag(seed)
    planted = Planted(sets)
    answer = drive(failing(graph), planted)
    assert answer.exact
    assert set(answer.culprits) <= planted.culprits
    assert len(answer.culprits) == 1
    assert len(planted.asked) == len(set(planted.asked))


@given(st.integers(0, 300), st.sampled_from([0.2, 0.6, 1.0]), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_untestable_pieces_never_lead_to_a_wrong_name(seed, share, width):
    graph = residual_dag(seed)
    planted: Subset = connected(graph, seed)
    answer = drive(failing(graph, width=width), Planted([planted], untestable=share, seed=seed))
    assert set(answer.culprits) <= {planted}
    assert answer.exact == bool(answer.culprits)
    assert planted <= frozenset().union(*answer.culprits) | answer.unresolved


def test_a_whole_that_passes_or_cannot_be_tested_is_said_so():
    search = SmallestPiece(3, [(0, 1), (1, 2)])
    assert search.ask() == (frozenset({0, 1, 2}),)
    assert search.result().note == "stopped before the end"
    search.tell(frozenset({0, 1, 2}), "pass")
    assert search.ask() == ()
    assert search.result().exact
    assert search.result().culprits == ()
    answer = drive(SmallestPiece(3, []), Planted([[1]], untestable=1.0))
    assert answer.unresolved == {0, 1, 2}
    assert not answer.exact


def test_a_contradiction_is_reported():
    search = failing((2, [(0, 1)]))
    search.tell(frozenset({0}), "pass")
    search.tell(frozenset({0}), "fail")
    answer = drive(search, Planted([[0]]))
    assert answer.culprits == (frozenset({0}),)
    assert not answer.exact
    assert "contradiction" in answer.note


@given(st.integers(0, 50), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_told_the_same_it_asks_the_same(seed, point):
    graph = residual_dag(seed)
    test = Pieces(graph, connected(graph, seed))
    search, twin = failing(graph), failing(graph)
    for _ in range(point):
        for piece in search.ask():
            search.tell(piece, test(piece))
            twin.tell(piece, test(piece))  # that it had not asked for
    assert twin.ask() == search.ask()
    found = drive(search, test)
    assert replace(drive(twin, test), trials=found.trials) == found
