"""Graphs of plain numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_dags import residual_dag, two_branches

from trtdebug.core.errors import UserError
from trtdebug.search.facts import bits
from trtdebug.search.topology import branchwise, closures


def test_branches_stay_together_however_the_file_mixes_them():
    n, edges = two_branches(branch=3, tail=2)
    assert branchwise(n, edges) == (0, 2, 4, 1, 3, 5, 6, 7, 8)


def test_without_edges_it_is_the_order_of_the_numbers():
    assert branchwise(4, []) == (0, 1, 2, 3)


@given(st.integers(0, 50))
def test_edges_lead_from_earlier_to_later(seed):
    n, edges = residual_dag(seed)
    order = branchwise(n, edges)
    rank = {item: position for position, item in enumerate(order)}
    assert sorted(order) == list(range(n))
    assert all(rank[a] < rank[b] for a, b in edges)
    ancestors, descendants = closures(order, edges)
    for a in range(0, n, 7):
        assert all(descendants[earlier] >> a & 1 for earlier in bits(ancestors[a]))
        assert all(ancestors[later] >> a & 1 for later in bits(descendants[a]))


def test_closures_of_a_residual():
    ancestors, descendants = closures((0, 1, 2, 3), [(0, 1), (1, 2), (0, 2)])
    assert [bits(mask) for mask in ancestors] == [[0], [0, 1], [0, 1, 2], [3]]
    assert [bits(mask) for mask in descendants] == [[0, 1, 2], [1, 2], [2], [3]]


def test_what_is_no_graph_is_refused():
    with pytest.raises(UserError, match="cycle"):
        branchwise(2, [(0, 1), (1, 0)])
    with pytest.raises(UserError, match="edge 0 -> 2 leaves"):
        branchwise(2, [(0, 2)])
