"""Registers the built-in report formats."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import ReportFormat
from trtdebug.report.html.render import render_html
from trtdebug.report.junit import render_junit
from trtdebug.report.markdown import render_markdown
from trtdebug.report.sarif import render_sarif
from trtdebug.report.text import render_text


def render_json(report: Mapping[str, Any]) -> str:
    """report.json: strict JSON, keys in the contract's order."""
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    # half a pair, as in a path that is no UTF-8, can't be written as it is
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


@hookimpl
def trtdebug_reports() -> Iterable[ReportFormat]:
    return (
        ReportFormat("json", "all of it, for programs", "report.json", render_json),
        ReportFormat("text", "for people", "report.txt", render_text),
        ReportFormat("sarif", "SARIF 2.1.0, for code scanning and editors", "report.sarif", render_sarif),
        ReportFormat("junit", "JUnit XML, for CI", "report.xml", render_junit),
        ReportFormat("markdown", "a block to paste into an issue", "report.md", render_markdown),
        ReportFormat("html", "one page to explore, for a browser", "report.html", render_html, render_html),
    )
