"""The frame: bad input is named, verdicts are counted."""

from __future__ import annotations

import pytest
from planted_sets import Planted

from trtdebug.core.errors import UserError
from trtdebug.search.leftmost import Leftmost


def test_only_what_was_asked_for_counts_as_a_trial():
    search = Leftmost(4)
    search.tell(frozenset(range(4)), "fail")
    assert search.result().trials == 0
    search.tell(search.ask()[0], "pass")
    assert search.result().trials == 1


def test_an_unknown_item_or_verdict_is_refused():
    search = Leftmost(4)
    with pytest.raises(UserError, match=r"items \[4, 9\] don't exist"):
        search.tell(frozenset({1, 4, 9}), "pass")
    with pytest.raises(UserError, match="unknown verdict 'bad'"):
        search.tell(frozenset({1}), "bad")  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"n": -1}, {"n": 1, "width": 0}, {"n": 1, "max_trials": -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(UserError, match="search: n="):
        Leftmost(**options)


def test_planted_drops_supersets_and_is_deterministic():
    test = Planted([[1], [1, 2], [3, 4]], untestable=0.5, seed=7)
    assert test.culprits == {frozenset({1}), frozenset({3, 4})}
    subsets = [frozenset(range(i)) for i in range(40)]
    verdicts = [test(subset) for subset in subsets]
    assert verdicts == [Planted([[1], [3, 4]], untestable=0.5, seed=7)(subset) for subset in subsets]
    assert verdicts[0] == "pass"
    assert 8 <= verdicts.count("untestable") <= 32
    assert test.asked == subsets
