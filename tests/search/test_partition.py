"""Parts that run one after the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.core.errors import UserError
from trtdebug.search.partition import partition

CHAIN = [(0, 1), (1, 2)]


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 14))
    pairs = [(a, b) for b in range(n) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    labels = draw(st.lists(st.sampled_from("yn?"), min_size=n, max_size=n))
    return labels, edges


def test_a_chain_is_cut_at_the_item_of_another_label() -> None:
    assert partition("yny", CHAIN, "y") == ((0,), (1,), (2,))


def test_what_can_wait_joins_the_later_part() -> None:
    assert partition("nyy", [(0, 2), (1, 2)], "y") == ((0,), (1, 2))


def test_branches_that_do_not_meet_stay_together() -> None:
    assert partition("yyyny", [(0, 2), (1, 3), (3, 4)], "y") == ((0, 1, 2), (3,), (4,))


def test_labels_that_are_told_apart_come_in_connected_pieces() -> None:
    edges = [(0, 1), (0, 2), (2, 3)]
    assert partition("ynnn", edges, "y") == ((0,), (1, 2, 3))
    assert partition("ynnn", edges, "y", apart="n") == ((0,), (1,), (2, 3))
    assert partition("nnn", [(0, 2), (1, 2)], "y", apart="n") == ((0, 1, 2),)


def test_an_item_that_starts_a_part_is_cut_from_what_it_reads() -> None:
    assert partition("yyy", CHAIN, "y", starts=[1]) == ((0,), (1, 2))


def test_items_need_not_be_numbered_in_order() -> None:
    assert partition("yyn", [(2, 1), (1, 0)], "y") == ((2,), (0, 1))


def test_a_cycle_is_refused() -> None:
    with pytest.raises(UserError, match="cycle"):
        partition("yy", [(0, 1), (1, 0)], "y")


@given(graphs(), st.sets(st.integers(0, 13), max_size=3))
def test_parts_hold_each_item_once_and_follow_each_other(graph, starts) -> None:
    labels, edges = graph
    parts = partition(labels, edges, "y", starts, apart="n")
    place = {item: at for at, part in enumerate(parts) for item in part}
    assert sorted(item for part in parts for item in part) == list(range(len(labels)))
    assert all(len({labels[item] for item in part}) == 1 for part in parts)
    assert all(place[a] <= place[b] for a, b in edges)
    assert all(place[a] < place[b] for a, b in edges if b in starts)


@given(graphs())
def test_no_cut_has_fewer_parts(graph) -> None:
    """A part of "y" for each change from "n" back to "y" on the worst path, and one more where a path begins so."""
    labels, edges = ["y" if label == "y" else "n" for label in graph[0]], graph[1]
    parts = partition(labels, edges, "y")
    depth = [0] * len(labels)
    for item, label in enumerate(labels):  # parts of "y" that have begun on the way here, this one included
        befores = [a for a, b in edges if b == item]
        depth[item] = max([depth[a] + (label == "y" and labels[a] == "n") for a in befores], default=0)
        depth[item] = max(depth[item], int(label == "y"))
    assert sum(labels[part[0]] == "y" for part in parts) == max(depth)
