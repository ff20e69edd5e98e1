"""What a verdict says, in all formats the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnoses import CASE, plain

from trtdebug.report.build import build_report
from trtdebug.report.formats import trtdebug_reports

FOR_READERS = [f for f in trtdebug_reports() if f.name in ("text", "markdown", "html", "sarif")]


@pytest.mark.parametrize("format_", FOR_READERS, ids=lambda f: f.name)
@pytest.mark.parametrize("builds", [0, 2])
def test_builds_that_nobody_made_agree_with_nothing(format_, builds: int) -> None:
    report = build_report(CASE, replace(plain("fragile"), builds=builds))
    words = format_.render(report)
    assert ("our builds agree, but a build that" in words) == (builds > 0)
    assert ("build that takes low precision in the wrong place" in words) == (builds == 0)
