"""Builders that are wrong in some builds only, and never as the user builds: only cures are called verified."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from pathlib import Path

import pytest
from planted_graphs import planted_graph
from seldom_wrong import Moods, SeldomWrong, at_random, diagnose, every

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import PinPrecision
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

GRAPHS = {
    "an overflow": planted_graph(1, 24, 1),
    "a broken kernel": planted_graph(0, 24, 1),
    "two overflows": planted_graph(0, 24, 2),
    "two broken kernels": planted_graph(8, 24, 2),
}
OFTEN = ["2+0", "2+1", "3+0", "3+2", "0.5#1", "0.75#1"]
"""Moods in which the first forced build is wrong, or the first with the user's own settings."""
SELDOM = ["4+0", "4+3", "0.33#1", "0.33#3", "0.25#3"]


def moods(name: str) -> Moods:
    """ "3+2": each third build, counted from 2 on. "0.5#7": half of the builds, by seed 7."""
    if "#" in name:
        rate, seed = name.split("#")
        return at_random(float(rate), int(seed))
    number, phase = map(int, name.split("+"))
    return every(number, phase)


def verified(diagnosis: Diagnosis) -> list[set[str]]:
    """What each verified fix pins."""
    fixes = [f.interventions for f in diagnosis.fixes if f.verified]
    return [{n for i in fix if isinstance(i, PinPrecision) for n in i.nodes} for fix in fixes]


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("mood", OFTEN)
def test_where_it_is_often_wrong_the_cure_is_found(name: str, mood: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]
    diagnosis = diagnose(tmp_path, SeldomWrong(graph, moods(mood)), graph)
    assert (diagnosis.verdict, diagnosis.failed_builds) == ("fragile", 0)
    assert verified(diagnosis)
    assert all(pins >= graph.culprits for pins in verified(diagnosis))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("mood", SELDOM)
def test_where_it_is_seldom_wrong_nothing_else_is_called_a_cure(name: str, mood: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]
    diagnosis = diagnose(tmp_path, SeldomWrong(graph, moods(mood)), graph)
    assert diagnosis.verdict == "fragile"
    assert all(pins >= graph.culprits for pins in verified(diagnosis))
    assert verified(diagnosis) or diagnosis.fix_folder is None


@pytest.mark.parametrize("mood", [*OFTEN, *SELDOM])
def test_where_no_pins_help_none_are_called_a_cure(mood: str, tmp_path: Path) -> None:
    graph = GRAPHS["a broken kernel"]
    diagnosis = diagnose(tmp_path, SeldomWrong(graph, moods(mood), pins_help=False), graph)
    assert diagnosis.verdict == "fragile"
    assert not verified(diagnosis)


def test_where_it_is_wrong_in_half_of_the_builds_the_fix_says_in_how_many_it_held(tmp_path: Path) -> None:
    graph = GRAPHS["an overflow"]
    fix = diagnose(tmp_path, SeldomWrong(graph, every(2, 0)), graph).fixes[-1]
    assert (fix.verified, fix.builds_passed) == (True, (2, 2))
    assert fix.note == (
        "your own builds pass without it, too; what shows its effect is 5 builds with low precision forced everywhere "
        "else"
    )


def test_where_it_takes_too_many_builds_it_is_said_that_they_may_pass_by_chance(tmp_path: Path) -> None:
    graph = GRAPHS["an overflow"]
    diagnosis = diagnose(tmp_path, SeldomWrong(graph, every(4, 0)), graph)
    [pins] = [f for f in diagnosis.fixes if f.builds_passed[1]]
    assert (pins.verified, pins.untestable, pins.builds_passed) == (False, False, (2, 2))
    assert pins.reason == (
        "it passes, but may do so by chance: 8 builds with low precision forced everywhere else pass, where without it "
        "only 2 of 8 fail"
    )
    assert diagnosis.fix_folder is None


class Proposes:
    """A plugin with a fix of its own, the cheapest of all."""

    def __init__(self, *interventions: PinPrecision) -> None:
        self.interventions = interventions

    @hookimpl
    def trtdebug_fixes(self) -> Iterable[FixProposer]:
        return [FixProposer("first", "for tests", self.propose)]

    def propose(self, context: FixContext) -> Iterable[FixProposal]:
        return [FixProposal("first", "something else", self.interventions, 0.0)]


def test_where_own_builds_pass_anyhow_other_fixes_have_to_hold_by_force_too(tmp_path: Path) -> None:
    graph = GRAPHS["an overflow"]
    useless = Proposes(PinPrecision((graph.model.graph.node[0].name,)))
    first, *_, last = diagnose(tmp_path, SeldomWrong(graph, repeat(True)), graph, useless).fixes
    assert (first.verified, first.untestable, first.builds_passed) == (False, False, (0, 0))
    assert first.reason.startswith("forced into FP16 everywhere else it still fails: ")
    assert last.verified
