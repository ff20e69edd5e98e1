"""Of things that help together, the fewest that do: in few tests, never a wrong one, with what can't be tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.core.errors import UserError
from trtdebug.search.smallest import Smallest, smallest
from trtdebug.search.types import Subset, Verdict


class Case:
    """Helps when it has all items of one of `cures`; counts the tests."""

    def __init__(
        self, *cures: Iterable[int], untestable: Callable[[Subset], bool] = lambda items: False
    ) -> None:
        self.cures = [frozenset(cure) for cure in cures]
        self.untestable = untestable
        self.asked: list[Subset] = []

    def __call__(self, items: Subset) -> Verdict:
        self.asked.append(items)
        if self.untestable(items):
            return "untestable"
        return "pass" if any(cure <= items for cure in self.cures) else "fail"


def test_one_of_many() -> None:
    case = Case([11])
    assert smallest(16, case) == Smallest(frozenset({11}), True)
    assert len(case.asked) <= 5


def test_a_good_idea_is_tested_first() -> None:
    case = Case([11])
    near = [2.0 ** -abs(item - 11) for item in range(16)]
    assert smallest(16, case, near) == Smallest(frozenset({11}), True)
    assert case.asked == [frozenset({11})]


def test_two_that_help_only_together() -> None:
    case = Case([3, 9])
    assert smallest(16, case) == Smallest(frozenset({3, 9}), True)
    assert len(case.asked) <= 12


def test_what_cannot_be_tested_alone_is_kept_together_and_not_called_proven() -> None:
    case = Case([2], untestable=lambda items: len(items) < 3)
    found = smallest(6, case)
    assert 2 in found.items
    assert not found.proven
    assert not case.untestable(found.items)


def test_no_more_tests_than_allowed() -> None:
    case = Case([3, 9])
    found = smallest(16, case, max_trials=3)
    assert len(case.asked) == 3
    assert {3, 9} <= found.items
    assert not found.proven


def test_one_item_needs_no_test() -> None:
    case = Case([0])
    assert smallest(1, case) == Smallest(frozenset({0}), True)
    assert case.asked == []


def test_a_weight_for_each_item() -> None:
    with pytest.raises(UserError, match="2 weights for 3 items"):
        smallest(3, Case([0]), [1.0, 1.0])


@given(data=st.data(), n=st.integers(1, 12))
def test_it_always_helps_and_what_is_proven_cannot_be_smaller(data: st.DataObject, n: int) -> None:
    sets = st.sets(st.integers(0, n - 1), min_size=1)
    cures = data.draw(st.lists(sets, min_size=1, max_size=3))
    unbuilt = data.draw(st.sets(st.frozensets(st.integers(0, n - 1)), max_size=4))
    case, wide = (Case(*cures, untestable=unbuilt.__contains__) for _ in range(2))
    weights = data.draw(st.none() | st.lists(st.floats(0, 1), min_size=n, max_size=n))
    found = smallest(n, case, weights)
    assert smallest(n, wide, weights, width=3) == found
    assert wide.asked == case.asked
    assert any(cure <= found.items for cure in case.cures)
    assert len(set(case.asked)) == len(case.asked)
    assert frozenset(range(n)) not in case.asked
    if found.proven:
        assert all(not any(cure <= found.items - {item} for cure in case.cures) for item in found.items)
