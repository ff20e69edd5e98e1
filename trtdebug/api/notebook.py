"""HTML for notebooks: of a result, and of a layer table. Nothing that others named can act on the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtdebug.api.plot import error_by_depth
from trtdebug.core.told import error_text
from trtdebug.report.blamed import blamed
from trtdebug.report.layer_table import nonfinite
from trtdebug.scripts.words import printable

if TYPE_CHECKING:
    from trtdebug.api.layers import LayerTable

_COLOURS = {
    "matches": "#1a7f37",
    "pass": "#1a7f37",
    "fragile": "#9a6700",
    "diverges": "#cf222e",
    "fail": "#cf222e",
}
PAGE = "report.html"
"""Of the session's reports the one to explore."""
_UNKNOWN = "#57606a"
_MOST_CULPRITS = 40
_MOST_ROWS = 50


def result_page(report: Mapping[str, Any], session: Path) -> str:
    """The report in short: verdict, cause, fix, repro, what is not known."""
    parts = [_verdict(report["verdict"], report["reason"])]
    candidate, reference = report["candidate"], report["reference"]
    parts.append(
        _table(
            (
                ("model", f"{report['model']['path']} ({report['model']['nodes']} nodes)"),
                (
                    "candidate",
                    f"{candidate['backend']} {candidate['version']}, {candidate['options']['precision']}",
                ),
                ("reference", f"{reference['backend']} {reference['version']}"),
                ("rule", report["rule"]),
            )
        )
    )
    culprits = report["culprits"]
    if culprits:
        parts.append("<div><b>cause</b></div>")
        parts.append(_table(_culprits(culprits[:_MOST_CULPRITS]), ("what", "kind", "evidence")))
        if len(culprits) > _MOST_CULPRITS:
            parts.append(_line(f"... and {len(culprits) - _MOST_CULPRITS} more in result.culprits"))
    if report["fixes"]:
        parts.append("<div><b>fixes</b></div>")
        parts.append(_table(map(_fix, report["fixes"]), ("fix", "state", "builds", "latency")))
    parts += [_line(f"not known: {line}") for line in report["unknown"]]
    if report["repro"]:
        parts.append(_line(f"repro: {report['repro']['path']} ({report['repro']['nodes']} node(s))"))
    parts.append(_line(f"session: {session}"))
    if (page := session / PAGE).is_file():
        parts.append(_line(f"all of it, for a browser: {page}"))
    return _page(parts)


def layers_page(table: LayerTable) -> str:
    """The errors by depth, and the rows that fail; of a table in which none does, the largest errors."""
    failing = table.failing
    rows = failing or sorted(table.rows, key=lambda r: -r.propagated.rms_rel)
    title = "tensors that break the tolerance, in the model's order" if failing else "the largest errors"
    parts = [_verdict(table.status, table.reason), error_by_depth(table.rows)]
    parts.append(f"<div><b>{title}</b> ({min(len(rows), _MOST_ROWS)} of {len(table.rows)})</div>")
    parts.append(_line(f"rule: {table.rule}"))
    parts.append(
        _table(
            (
                (
                    row.tensor,
                    row.op,
                    error_text(row.propagated, row.propagated.rms_rel),
                    error_text(row.local, row.local.rms_rel) if row.local else "-",
                    str(nonfinite(row)),
                )
                for row in rows[:_MOST_ROWS]
            ),
            ("tensor", "op", "propagated", "local", "NaN/Inf"),
        )
    )
    return _page(parts)


def _culprits(culprits: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for culprit in culprits:
        names = blamed(culprit)
        shown = " + ".join(names[:_MOST_CULPRITS])
        more = len(names) - _MOST_CULPRITS
        kind = culprit["kind"] if culprit["proven"] else f"{culprit['kind']}, undecided"
        yield (f"{shown} and {more} more" if more > 0 else shown), kind, culprit["evidence"]


def _fix(fix: Mapping[str, Any]) -> tuple[str, ...]:
    passed, tried = fix["builds_passed"]
    state = "verified" if fix["verified"] else fix["reason"] or "not verified"
    ratio = fix["latency_ratio"]
    return (
        fix["summary"],
        state,
        f"{passed} of {tried}",
        f"{float(ratio):.3g} times" if ratio is not None else "-",
    )


def _verdict(word: str, reason: str) -> str:
    colour = _COLOURS.get(word, _UNKNOWN)
    badge = f'<b style="color:#fff;background:{colour};padding:1px 8px;border-radius:4px">{_text(word)}</b>'
    return f"<div>{badge} {_text(reason)}</div>"


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        style = "text-align:left;vertical-align:top;overflow-wrap:anywhere;max-width:60ch"
        return "<tr>" + "".join(f'<{tag} style="{style}">{_text(c)}</{tag}>' for c in cells) + "</tr>"

    body = "".join(line(cells, "td") for cells in rows)
    return f"<table>{line(head, 'th') if head else ''}{body}</table>"


def _line(text: str) -> str:
    return f"<div>{_text(text)}</div>"


def _page(parts: Iterable[str]) -> str:
    return f'<div class="trtdebug" style="font-family:sans-serif">{"".join(parts)}</div>'


def _text(text: str) -> str:
    return escape(printable(text))
