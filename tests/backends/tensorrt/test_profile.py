"""Times of layers: medians, nothing lost."""

from __future__ import annotations

import importlib.util

import pytest

from trtdebug.backends.tensorrt.nvtx import marked
from trtdebug.backends.tensorrt.profile import timed
from trtdebug.core.outcome import LayerInfo


def test_each_layer_gets_the_median_of_its_times() -> None:
    runs = [{"a": 1.0, "b": 5.0}, {"a": 9.0, "b": 6.0}, {"a": 2.0}]
    a, b, c = timed([LayerInfo("a"), LayerInfo("b", ("n",)), LayerInfo("c")], runs)
    assert (a.milliseconds, b.milliseconds, c.milliseconds) == (2.0, 5.0, None)
    assert b.nodes == ("n",)


def test_a_layer_that_only_the_profiler_knows_stands_at_the_end() -> None:
    assert timed([LayerInfo("a")], [{"a": 1.0, "shape_call": 3.0}]) == (
        LayerInfo("a", milliseconds=1.0),
        LayerInfo("shape_call", milliseconds=3.0),
    )


def test_layers_of_one_name_share_one_time() -> None:
    found = timed([LayerInfo("a"), LayerInfo("a")], [{"a": 1.0}])
    assert [layer.milliseconds for layer in found] == [1.0, None]


@pytest.mark.skipif(importlib.util.find_spec("nvtx") is not None, reason="nvtx is installed here")
def test_ranges_cost_nothing_without_nvtx() -> None:
    with marked("anything") as mark:
        assert mark is None
