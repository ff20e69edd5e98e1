"""trtdebug extension: reports as GitHub Actions shows them."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import ReportFormat
from trtdebug_github.annotations import render_annotations
from trtdebug_github.summary import render_summary


@hookimpl
def trtdebug_reports() -> Iterable[ReportFormat]:
    yield ReportFormat(
        "github", "annotations of a GitHub Actions run", "github-annotations.txt", render_annotations
    )
    yield ReportFormat("github-summary", "a GitHub Actions job summary", "github-summary.md", render_summary)
