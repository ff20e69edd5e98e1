"""What may be asked next is prepared at once, and the search goes its way as if it were not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from driving import drive
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_dags import Pieces, connected, residual_dag
from planted_sets import Planted

from trtdebug.search.drive import drive_ahead
from trtdebug.search.piece import SmallestPiece
from trtdebug.search.protect import MinimalProtect
from trtdebug.search.types import Subset


class Rounds:
    """Takes down what is prepared at once."""

    def __init__(self) -> None:
        self.prepared: list[Subset] = []
        self.count = 0

    def __call__(self, subsets: Sequence[Subset]) -> None:
        self.prepared += subsets
        self.count += 1


CASES = st.lists(st.frozensets(st.integers(0, 9), min_size=1, max_size=3), min_size=1, max_size=4)


@given(CASES, st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 1000), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_it_asks_and_answers_as_one_by_one(
    culprits: list[Subset], share: float, seed: int, width: int
) -> None:
    alone, ahead = (Planted(culprits, untestable=share, seed=seed) for _ in range(2))
    rounds = Rounds()
    answer = drive_ahead(MinimalProtect(10, range(10), width=width), ahead, rounds)
    assert answer == drive(MinimalProtect(10, range(10)), alone)
    assert ahead.asked == alone.asked
    assert set(ahead.asked) <= set(rounds.prepared)
    assert rounds.count <= len(alone.asked)
    assert len(set(rounds.prepared)) == len(rounds.prepared) <= width * rounds.count


def test_with_a_width_of_one_nothing_else_is_prepared() -> None:
    test, rounds = Planted([[10], [40]]), Rounds()
    drive_ahead(MinimalProtect(100, range(64)), test, rounds)
    assert rounds.prepared == test.asked


@pytest.mark.parametrize(("width", "share"), [(2, 0.75), (4, 0.5), (8, 0.4)])
def test_rounds_of_a_search_for_a_piece(width: int, share: float) -> None:
    alone = rounds = 0
    for seed in range(40):
        graph = residual_dag(seed)
        search = SmallestPiece(*graph, width=width)
        counted = Rounds()
        alone += drive_ahead(search, Pieces(graph, connected(graph, seed)), counted).trials
        rounds += counted.count
    assert rounds <= share * alone
