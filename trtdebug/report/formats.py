"""Registers the built-in report formats; what writes them is imported when it is asked.

Every worker loads the plugins, and none writes a report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import ReportFormat


def render_json(report: Mapping[str, Any]) -> str:
    """report.json: strict JSON, keys in the contract's order."""
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    # half a pair, as in a path that is no UTF-8, can't be written as it is
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _later(module: str, name: str) -> Callable[..., str]:
    """The renderer of this name, imported when it is called."""

    def render(*given: Any) -> str:
        text: str = getattr(import_module(f"trtdebug.report.{module}"), name)(*given)
        return text

    return render


@hookimpl
def trtdebug_reports() -> Iterable[ReportFormat]:
    html = _later("html.render", "render_html")
    sarif, junit = _later("sarif", "render_sarif"), _later("junit", "render_junit")
    return (
        ReportFormat("json", "all of it, for programs", "report.json", render_json),
        ReportFormat("text", "for people", "report.txt", _later("text", "render_text")),
        ReportFormat("sarif", "SARIF 2.1.0, for code scanning and editors", "report.sarif", sarif),
        ReportFormat("junit", "JUnit XML, for CI", "report.xml", junit),
        ReportFormat(
            "markdown", "a block to paste into an issue", "report.md", _later("markdown", "render_markdown")
        ),
        ReportFormat("html", "one page to explore, for a browser", "report.html", html, html),
    )
