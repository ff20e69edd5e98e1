"""A job summary: what `$GITHUB_STEP_SUMMARY` takes.

Everything is HTML within one block, where Markdown means nothing: so names need HTML's escapes alone. A blank line
would end the block; there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from trtdebug_github.text import Report, at_fault, fix_state, number, plain, verdict_words

_MOST = 50  # rows of a table, lines of a list; GitHub takes 1 MiB of a step


def render_summary(report: Report) -> str:
    """GitHub's Markdown, of HTML blocks only."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    verdict = report["verdict"]
    precision = report["candidate"]["options"]["precision"].upper()
    model = re.split(r"[/\\]", report["model"]["path"])[-1]
    yield f"<h2>{verdict.upper()}: {_code(model)} in {precision}</h2>"
    yield f"<p>{_text(report['reason'] or verdict_words(report))}</p>"
    yield from _table((), _facts(report))
    yield from _section("Cause", (_culprit(culprit) for culprit in report["culprits"]))
    yield from _section("Fixes", (_fix(fix) for fix in report["fixes"]))
    yield from _outputs(report)
    yield from _folded("Findings", [_finding(finding) for finding in report["findings"]])
    yield from _folded("Not known", [_text(line) for line in report["unknown"]])
    if report["command"]:
        yield f"<pre>{_text(report['command'], 4000)}</pre>"


def _facts(report: Report) -> Iterator[tuple[str, ...]]:
    candidate, reference, flaky = report["candidate"], report["reference"], report["flaky"]
    device = f" on {candidate['device']}" if candidate["device"] else ""
    yield "candidate", _text(f"{candidate['backend']} {candidate['version']}{device}")
    yield "reference", _text(f"{reference['backend']} {reference['version']}")
    yield "rule", _text(report["rule"])
    if flaky["builds"]:
        yield "builds", f"{flaky['failed']} of {flaky['builds']} are wrong"
    divergence = report["first_divergence"]
    if divergence:
        where = f", written by {_code(divergence['node'])}" if divergence["node"] else ""
        yield "first wrong tensor", f"{_code(divergence['tensor'])}{where}"
    repro = report["repro"]
    if repro:
        state = "fails in a fresh process" if repro["verified"] else "not verified"
        yield "repro", f"{repro['nodes']} node(s), {state}: {_code(repro['path'])}"


def _culprit(culprit: Report) -> str:
    state = "" if culprit["proven"] else "undecided among "
    evidence = f": {_text(culprit['evidence'])}" if culprit["evidence"] else ""
    return f"{state}{_code(at_fault(culprit))} ({culprit['kind']}){evidence}"


def _fix(fix: Report) -> str:
    reason = f": {_text(fix['reason'])}" if fix["reason"] and not fix["verified"] else ""
    return f"{_text(fix['summary'])} ({fix_state(fix)}){reason}"


def _outputs(report: Report) -> Iterator[str]:
    rows = [
        (
            _code(o["output"]),
            _text(" ".join(filter(None, (o["build"], o["sample"])))),
            o["status"],
            number(o["rms_rel"]),
            number(o["max_abs"]),
            number(o["nonfinite"]),
        )
        for o in report.get("outputs", ())
    ]
    if rows:
        yield "<h3>Outputs</h3>"
        head = ("output", "build", "", "relative RMS error", "largest error", "NaN or Inf")
        yield from _table(head, rows[:_MOST])
        yield from _left(rows)


def _finding(finding: Report) -> str:
    where = f" {_code(finding['node'])}" if finding["node"] else ""
    advice = f" {_text(finding['mitigation'])}" if finding["mitigation"] else ""
    return f"{finding['severity']} {_code(finding['id'])}{where}: {_text(finding['message'])}{advice}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<table>"
    if head:
        yield f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
    yield "</table>"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"<h3>{title}</h3>"
        yield from _list(found)


def _folded(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"<details><summary>{title} ({len(lines)})</summary>"
        yield from _list(lines)
        yield "</details>"


def _list(lines: Sequence[str]) -> Iterator[str]:
    yield "<ul>"
    yield from (f"<li>{line}</li>" for line in lines[:_MOST])
    yield "</ul>"
    yield from _left(lines)


def _left(lines: Sequence[object]) -> Iterator[str]:
    if len(lines) > _MOST:
        yield f"<p>and {len(lines) - _MOST} more in report.json</p>"


def _text(text: str, longest: int = 500) -> str:
    return escape(plain(text, longest))


def _code(text: str) -> str:
    return f"<code>{_text(text, 200)}</code>"
