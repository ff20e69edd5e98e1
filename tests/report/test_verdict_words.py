"""What a verdict says, in all formats the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnoses import CASE, plain

from trtdebug.report.build import build_report
from trtdebug.report.formats import trtdebug_reports
from trtdebug.report.verdict_words import builds_words

FOR_READERS = [f for f in trtdebug_reports() if f.name in ("text", "markdown", "html", "sarif")]


@pytest.mark.parametrize("format_", FOR_READERS, ids=lambda f: f.name)
@pytest.mark.parametrize("builds", [0, 2])
def test_builds_that_nobody_made_agree_with_nothing(format_, builds: int) -> None:
    report = build_report(CASE, replace(plain("fragile"), builds=builds))
    words = format_.render(report)
    assert ("our builds agree, but a build that" in words) == (builds > 0)
    assert ("build that takes low precision in the wrong place" in words) == (builds == 0)


@pytest.mark.parametrize("format_", FOR_READERS, ids=lambda f: f.name)
def test_builds_that_could_not_be_compared_agree_with_nothing(format_) -> None:
    report = build_report(CASE, replace(plain("fragile"), builds=2, untested_builds=2))
    words = format_.render(report)
    assert "our builds agree" not in words
    assert "0 of 2 builds" not in words
    assert "build that takes low precision in the wrong place" in words


def test_how_many_builds_could_not_be_compared_is_told_beside_those_that_are_wrong() -> None:
    report = build_report(CASE, replace(plain("diverges"), builds=3, failed_builds=1, untested_builds=1))
    assert builds_words(report) == "1 of 3 builds are wrong, 1 could not be compared"
