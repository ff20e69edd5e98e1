"""The forced build, again: how often it fails, and what that costs."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path

import pytest
from planted_graphs import planted_graph
from seldom_wrong import SeldomWrong, diagnose, every

OVERFLOW, BROKEN = planted_graph(1, 24, 1), planted_graph(0, 24, 1)


@pytest.mark.parametrize(("graph", "builds"), [(OVERFLOW, 9), (BROKEN, 10)], ids=["overflow", "broken"])
def test_a_failure_that_always_shows_takes_two_more_builds(graph, builds: int, tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path, SeldomWrong(graph, repeat(True)), graph)
    assert diagnosis.verdict == "fragile"
    assert diagnosis.fixes[-1].verified
    # two as the user makes them, then with the fix; forced, and again twice; all pinned; the short way or a search
    assert diagnosis.trials.builds == builds
    assert not any(f.id == "flaky-forced-builds" for f in diagnosis.findings)


@pytest.mark.parametrize(("graph", "builds"), [(OVERFLOW, 1), (BROKEN, 4)], ids=["overflow", "broken"])
def test_where_all_own_builds_fail_none_are_made(graph, builds: int, tmp_path: Path) -> None:
    backend = SeldomWrong(graph, repeat(True), natural=repeat(True))
    diagnosis = diagnose(tmp_path, backend, graph)
    assert (diagnosis.verdict, diagnosis.failed_builds) == ("diverges", 2)
    assert backend.forced_builds == builds
    assert diagnosis.fixes[-1].verified


def test_where_some_own_builds_fail_the_forced_one_is_made_twice(tmp_path: Path) -> None:
    backend = SeldomWrong(OVERFLOW, repeat(True), natural=every(2, 0))
    diagnosis = diagnose(tmp_path, backend, OVERFLOW)
    assert (diagnosis.verdict, diagnosis.failed_builds) == ("diverges", 1)
    assert backend.forced_builds == 1 + 2


def test_a_failure_that_shows_at_times_is_told_of(tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path, SeldomWrong(OVERFLOW, every(2, 0)), OVERFLOW)
    [found] = [f for f in diagnosis.findings if f.id == "flaky-forced-builds"]
    assert found.message == (
        "with low precision forced everywhere, only 4 of 8 more builds are wrong, by the same command: one that passes "
        "says little. What passes here did so in 5 builds."
    )


def test_where_even_many_builds_say_little_that_is_told_too(tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path, SeldomWrong(OVERFLOW, every(4, 0)), OVERFLOW)
    [found] = [f for f in diagnosis.findings if f.id == "flaky-forced-builds"]
    assert found.message.endswith("in 8 builds, and even these may all pass by chance.")


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_where_own_builds_fail_at_times_a_forced_one_that_passes_is_no_evidence(
    phase: int, tmp_path: Path
) -> None:
    """In two phases of three the first forced builds, at cheap settings and at the user's own, are right."""
    diagnosis = diagnose(tmp_path, SeldomWrong(BROKEN, every(3, phase), natural=every(2, 0)), BROKEN)
    assert (diagnosis.verdict, diagnosis.failed_builds) == ("diverges", 1)
    assert {n for c in diagnosis.culprits if c.proven for n in c.nodes} == BROKEN.wrong
    assert not any("the cause lies elsewhere" in line for line in diagnosis.unknown)
    assert diagnosis.fixes[-1].verified
