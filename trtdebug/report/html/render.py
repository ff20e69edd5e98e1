"""Puts report.html together: the page, its style, its script and its data in one file that asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from trtdebug.report.html.columns import data_text, page_data
from trtdebug.report.html.details import Details, read_details
from trtdebug.report.html.markup import Markup, join, tag
from trtdebug.report.html.sections import findings, fixes, outputs, repeat, unknown
from trtdebug.report.html.words import first_screen
from trtdebug.report.strings import base_name, plain

_SCRIPTS = (
    "data.js",
    "elements.js",
    "theme.js",
    "table.js",
    "neighbourhood.js",
    "drawing.js",
    "graph.js",
    "details.js",
    "find.js",
    "depth.js",
    "nodes.js",
    "values.js",
    "layers.js",
    "steps.js",
    "main.js",
)
"""In one scope, in this order."""
_PARTS = (
    ("verdict", "Verdict"),
    ("graph", "Graph"),
    ("depth", "Error by depth"),
    ("values", "Values"),
    ("layers", "Layers"),
    ("fixes", "Fixes"),
    ("search-log", "Search"),
    ("outputs", "Outputs"),
    ("findings", "Findings"),
    ("unknown", "Not known"),
    ("repeat", "Repeat it"),
)


def render_html(report: Mapping[str, Any], session: Path | None = None) -> str:
    """The page.

    Args:
        session: the session's folder, for what report.json does not hold: the graph, errors of single nodes, values,
            engines and trials. Without it the page says of these that they are not there.
    """
    details = read_details(session, report) if session is not None else Details()
    words = {
        "first_screen": first_screen(report, details.values),
        "fixes": fixes(report),
        "outputs": outputs(report),
        "findings": findings(report),
        "unknown": unknown(report),
        "repeat": repeat(report),
    }
    left_out = {name for name, part in words.items() if part is None}
    style, script = _style(), _script()
    parts = {
        **{name: part or "" for name, part in words.items()},
        "title": html.escape(f"{report['verdict']}: {plain(base_name(report['model']['path']))}"),
        "parts": join(*(tag("li", tag("a", t, href=f"#{n}")) for n, t in _PARTS if n not in left_out)),
        "policy": _policy(style, script),
        "style": style,
        "script": script,
        "data": data_text(page_data(report, details)),
        "licences": _asset("vendor/LICENSES.txt").replace("--", "=="),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("page.html"))


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, and nothing runs but what was put together here."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _style() -> Markup:
    dark = _asset("dark.css")
    by_system = f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{\n{dark}}} }}\n'
    by_choice = f':root[data-theme="dark"] {{\n{dark}}}\n'
    return Markup("\n".join((_asset("vendor/libraries.min.css"), _asset("style.css"), by_system, by_choice)))


@cache
def _script() -> Markup:
    own = "\n".join(_asset(f"script/{name}") for name in _SCRIPTS)
    return Markup(f'{_asset("vendor/libraries.min.js")}\n(() => {{\n"use strict";\n{own}\n}})();\n')


@cache
def _asset(name: str) -> str:
    return files("trtdebug.report.html").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")
