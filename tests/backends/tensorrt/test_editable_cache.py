"""Which builds can have tactics said by their hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.editable_cache import at_reading_level, cache_rules
from trtdebug.backends.tensorrt.plan import BuildPlan, plan_build
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, Intervention, Knob, UseTactic

BAN = BanTactic("fc1", "0x665DED9ABBF88")
PAIR = BanTactic("conv1", "0x80000009:0x5b8b")


def plan(*interventions: Intervention, version: str = "11.4.0", level: int | None = None) -> BuildPlan:
    options = BuildOptions(optimization_level=level)
    return plan_build(BuildRequest(Path("m.onnx"), options, Path(), interventions), version)


@pytest.mark.parametrize("version", ["10.8.0", "10.16.1", "11.4.0"])
def test_hashes_are_for_the_cache_and_pairs_for_the_selector(version: str) -> None:
    found = cache_rules(plan(BAN, UseTactic("fc2", "0x01"), version=version), version)
    assert (found.banned, found.used) == ({"fc1": frozenset({"0x665ded9abbf88"})}, {"fc2": "0x1"})
    assert not cache_rules(plan(version=version), version)


@pytest.mark.parametrize("version", ["8.6.0", "10.7.0"])
def test_earlier_versions_have_no_such_cache(version: str) -> None:
    with pytest.raises(BuildFailure, match="no editable timing cache") as failure:
        cache_rules(plan(BAN, version=version), version)
    assert "IMPLEMENTATION:TACTIC" in failure.value.hint
    assert not cache_rules(plan(PAIR, version=version), version)


def test_both_at_once_are_refused() -> None:
    with pytest.raises(BuildFailure, match="only one of the two"):
        cache_rules(plan(BAN, PAIR, version="10.16.1"), "10.16.1")


def test_level_0_ignores_the_cache() -> None:
    with pytest.raises(BuildFailure, match="at optimization_level 0 TensorRT ignores its timing cache"):
        cache_rules(plan(BAN, Knob("optimization_level", "0")), "11.4.0")
    searching = plan(BAN, level=0)
    assert cache_rules(searching, "11.4.0")
    raised, note = at_reading_level(searching)
    assert raised.optimization_level is None
    assert note.startswith("built at the default optimisation level")
    assert at_reading_level(plan(BAN, level=1)) == (plan(BAN, level=1), "")
