"""The largest convex set, against all sets."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.core.errors import UserError
from trtdebug.search.convex import largest_convex
from trtdebug.search.topology import closures


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 9))
    pairs = [(a, b) for b in range(n) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return n, edges, draw(st.sets(st.integers(0, n - 1)))


def is_convex(items, n, edges) -> bool:
    above, below = closures(range(n), edges)
    mask = sum(1 << item for item in items)
    return not any(above[x] & mask and below[x] & mask for x in range(n) if x not in items)


@given(graphs())
@settings(max_examples=200)
def test_it_is_convex_and_no_other_is_larger(graph) -> None:
    n, edges, forbidden = graph
    found = largest_convex(n, edges, forbidden)
    allowed = [item for item in range(n) if item not in forbidden]
    sizes = range(len(allowed), -1, -1)
    best = next(k for k in sizes if any(is_convex(set(c), n, edges) for c in combinations(allowed, k)))
    assert found.exact
    assert is_convex(set(found.items), n, edges)
    assert not forbidden & set(found.items)
    assert len(found.items) == best


def test_both_sides_of_a_forbidden_item_do_not_go_together() -> None:
    chain = [(i, i + 1) for i in range(5)]
    assert largest_convex(6, chain, {2}).items == (3, 4, 5)
    assert largest_convex(6, chain, {3, 5}).items == (0, 1, 2)
    assert largest_convex(6, chain, set()).items == tuple(range(6))
    assert largest_convex(2, [], {0, 1}).items == ()


def test_a_branch_beside_it_does() -> None:
    assert largest_convex(6, [(0, 1), (1, 5), (0, 2), (2, 3), (4, 5)], {1}).items in (
        (0, 2, 3, 4),
        (2, 3, 4, 5),
    )


def test_many_forbidden_items_in_a_row_are_no_work() -> None:
    n = 600
    edges = [(i, i + 1) for i in range(n - 1)]
    found = largest_convex(n, edges, set(range(5, n, 6)))
    assert found.exact
    assert len(found.items) == 5


def test_where_it_is_given_up_it_says_so() -> None:
    edges = [(a, w) for w in range(8, 16) for a in (w - 8,)] + [(w, w + 8) for w in range(8, 16)]
    found = largest_convex(24, edges, set(range(8, 16)), steps=20)
    assert not found.exact
    assert len(found.items) == 8


def test_a_cycle_is_refused() -> None:
    with pytest.raises(UserError, match="cycle"):
        largest_convex(2, [(0, 1), (1, 0)], {0})
