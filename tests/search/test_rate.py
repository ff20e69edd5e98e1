"""Where to cut."""

from __future__ import annotations

import pytest

from trtdebug.search.rate import Rate


def test_one_heavy_item_is_cut_off_first():
    rate = Rate([8.0] + [1.0] * 8)
    assert rate.cut(range(9), rate.scales([], 0), True) == 1


def test_all_zero_weights_count_as_flat():
    assert Rate([0.0] * 4).weights == [0.25] * 4
    assert Rate([]).weights == []


def test_zero_is_an_opinion_not_a_proof():
    assert min(Rate([1.0, 0.0]).weights) > 0


def test_after_a_late_culprit_the_rest_is_tested_at_once():
    rate = Rate([1.0] * 100)
    belief = rate.scales([1 << 80], (1 << 80) - 1)
    assert rate.cut(range(81, 100), belief, False) == 19


def test_after_many_close_culprits_a_small_group_is_tested():
    rate = Rate([1.0] * 1000)
    belief = rate.scales([1 << rank for rank in range(2, 60, 6)], (1 << 60) - 1)
    assert 2 <= rate.cut(range(60, 1000), belief, False) <= 30


@pytest.mark.parametrize("count", range(2, 12))
def test_a_failing_group_is_never_tested_whole(count):
    rate = Rate([1.0] * 12)
    assert 1 <= rate.cut(range(count), rate.scales([], 0), True) < count


def test_ties_go_to_the_smaller_part():
    rate = Rate([1.0] * 3)
    assert rate.cut(range(3), rate.scales([], 0), True) == 1
