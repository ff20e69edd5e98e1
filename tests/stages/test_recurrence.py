"""How many builds have to pass, by how many fail."""

from __future__ import annotations

import pytest

from trtdebug.core.outcome import Outcome
from trtdebug.stages.recurrence import MOST, Recurrence


@pytest.mark.parametrize(
    ("failed", "tested", "builds", "enough"),
    [
        (0, 0, 1, True),  # nobody asked
        (2, 2, 1, True),
        (7, 8, 2, True),
        (4, 8, 5, True),
        (3, 8, 7, True),
        (2, 8, MOST, False),  # it would take 11
        (0, 8, MOST, False),
    ],
)
def test_so_many_pass_by_chance_in_one_of_twenty_cases(
    failed: int, tested: int, builds: int, enough: bool
) -> None:
    seen = Recurrence(failed, tested)
    assert (seen.builds, seen.enough) == (builds, enough)
    if enough and failed < tested:
        assert (1 - failed / tested) ** builds <= 0.05 < (1 - failed / tested) ** (builds - 1)


def test_what_could_not_be_tested_does_not_count() -> None:
    outcomes = [Outcome(status) for status in ("fail", "untestable", "pass")]
    assert Recurrence.of(outcomes) == Recurrence(1, 2)
