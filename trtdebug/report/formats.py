"""Registers the built-in report formats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import ReportFormat
from trtdebug.report.text import render_text


def render_json(report: Mapping[str, Any]) -> str:
    """report.json: strict JSON, keys in the contract's order."""
    return json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


@hookimpl
def trtdebug_reports() -> Iterable[ReportFormat]:
    return (
        ReportFormat("json", "all of it, for programs", "report.json", render_json),
        ReportFormat("text", "for people", "report.txt", render_text),
    )
