"""A block of Markdown to paste into an issue: cause, how to see it, fix, versions. Always under 60 lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trtdebug.core.told import number_text
from trtdebug.core.words import listed
from trtdebug.report.blamed import blamed
from trtdebug.report.no_cause import no_cause, no_repro
from trtdebug.report.strings import (
    backend_text,
    base_name,
    divergence_errors,
    plain,
    repro_command,
    room_text,
    shortened,
)
from trtdebug.report.verdict_words import builds_words, verdict_words

_NAME, _TEXT, _COMMAND = 100, 400, 4000  # characters, at most
_MOST = 5  # culprits; nodes of one
_MOST_FINDINGS, _MOST_UNKNOWN = 4, 2

Report = Mapping[str, Any]


def render_markdown(report: Report) -> str:
    """GitHub-flavoured Markdown.

    Everything that others named or said stands in code spans and code blocks, without ANSI sequences and control
    characters: there neither HTML nor links nor @mentions mean anything.
    """
    parts = (_verdict, _cause, _steps, _fix, _versions, _findings, _unknown)
    return "\n".join(line for part in parts for line in part(report)) + "\n"


def _verdict(report: Report) -> Iterator[str]:
    candidate = report["candidate"]
    precision = candidate["options"]["precision"].upper()
    yield f"### {report['verdict'].upper()}: {verdict_words(report)}"
    yield ""
    yield f"Model {_code(base_name(report['model']['path']))} ({report['model']['nodes']} nodes), {precision}."
    if report["reason"]:
        yield _code(report["reason"], _TEXT)
    if report["flaky"]["builds"]:
        wrong = builds_words(report)
        yield f"{wrong[:1].upper()}{wrong[1:]}. Rule: {_code(report['rule'], _TEXT)}"


def _cause(report: Report) -> Iterator[str]:
    yield ""
    yield "#### Cause"
    yield ""
    culprits = report["culprits"]
    for culprit in culprits[:_MOST]:
        marks = culprit.get("tensors") or []
        fails = "not built by itself" if culprit["kind"] == "build" else "fails by itself"
        if marks:
            fails = "these marks together do not build" if len(marks) > 1 else "this mark does not build"
        how = fails if culprit["proven"] else "undecided among these"
        inside = culprit.get("inside") or []
        within = f", in {_names(inside)}" if inside else ""
        yield f"- {_names(blamed(culprit))}{within} ({culprit['kind']}, {how})"
        if culprit["evidence"]:
            yield f"  - {_code(culprit['evidence'], _TEXT)}"
    if len(culprits) > _MOST:
        yield f"- and {len(culprits) - _MOST} more"
    if words := no_cause(report, _code):
        yield f"{words[:1].upper()}{words[1:]}."
        if why := no_repro(report):
            yield f"{why[:1].upper()}{why[1:]}."
    elif not culprits:
        yield "None was found." if report["verdict"] != "matches" else "Nothing is wrong."
    divergence = report.get("first_divergence")
    if divergence:
        where = _code(divergence["node"]) if divergence["node"] else "no node"
        op = f" ({_code(divergence['op'])})" if divergence["op"] else ""
        errors = divergence_errors(divergence)
        yield ""
        yield f"First wrong tensor: {_code(divergence['tensor'])}, written by {where}{op}; {errors}."


def _steps(report: Report) -> Iterator[str]:
    yield ""
    yield "#### Steps to reproduce"
    yield ""
    command = plain(report["command"])
    if not command:
        yield "The command line was not recorded."
    elif len(command) > _COMMAND:
        yield "The command line is too long to show; it is `command` in report.json."
    else:
        yield from _block(command)
    repro = report.get("repro")
    if repro:
        state = "fails in a fresh process" if repro["verified"] else "not verified"
        yield ""
        without = ", without trtdebug" if repro.get("standalone", True) else ""
        yield f"Or with the minimal repro ({repro['nodes']} node(s), {state}){without}:"
        yield ""
        yield from _block(plain(repro_command(repro)))


def _fix(report: Report) -> Iterator[str]:
    fixes = report["fixes"]
    if not fixes:
        return
    verified = [f for f in fixes if f["verified"]]
    yield ""
    yield "#### Fix"
    yield ""
    if not verified:
        yield f"None holds of {len(fixes)} tried."
        return
    fix = verified[-1]  # the last one is the one to take
    passed, tried = fix["builds_passed"]
    ratio = fix["latency_ratio"]
    cost = f", {number_text(ratio)} times the latency" if ratio is not None else ""
    held = f"{passed} of {tried} fresh builds pass" if tried else "it was not built by itself"
    room = room_text(fix.get("of_limit"))
    yield f"{_code(fix['summary'], _TEXT)}: {held}{f', {room}' if room else ''}{cost}."


def _versions(report: Report) -> Iterator[str]:
    candidate, reference, tool = report["candidate"], report["reference"], report.get("tool") or {}
    yield ""
    yield "#### Versions"
    yield ""
    yield f"- candidate: {_code(backend_text(candidate))}" + (
        f" on {_code(candidate['device'])}" if candidate["device"] else ""
    )
    yield f"- reference: {_code(backend_text(reference))}"
    if tool.get("version"):
        yield f"- trtdebug: {_code(tool['version'])}"
    extensions = tool.get("extensions") or []
    if extensions:
        yield f"- extensions: {_names([' '.join((e['name'], e['version'])) for e in extensions])}"
    yield f"- model: SHA-256 {_code(report['model']['sha256'])}"


def _findings(report: Report) -> Iterator[str]:
    """The gravest first; of each rule one."""
    order = ("error", "warning", "info")
    by_gravity = sorted(report["findings"], key=lambda f: order.index(f["severity"]))
    of_rule: dict[str, Mapping[str, Any]] = {}
    for finding in by_gravity:
        of_rule.setdefault(finding["id"], finding)
    shown = list(of_rule.values())
    if not shown:
        return
    yield ""
    yield "#### Findings"
    yield ""
    for finding in shown[:_MOST_FINDINGS]:
        yield f"- {finding['severity']} {_code(finding['id'])}: {_code(finding['message'], _TEXT)}"
    left = len(report["findings"]) - len(shown[:_MOST_FINDINGS])
    if left:
        yield f"- and {left} more in report.json"


def _unknown(report: Report) -> Iterator[str]:
    lines = report["unknown"]
    if not lines:
        return
    yield ""
    yield "#### Not known"
    yield ""
    yield from (f"- {_code(line, _TEXT)}" for line in lines[:_MOST_UNKNOWN])
    if len(lines) > _MOST_UNKNOWN:
        yield f"- and {len(lines) - _MOST_UNKNOWN} more"


def _names(names: Sequence[str]) -> str:
    return listed(map(_code, names), _MOST)


def _code(text: str, longest: int = _NAME) -> str:
    """A code span: its fence is longer than any run of backticks within."""
    inner = shortened(plain(text), longest)
    if not inner.strip(" "):
        inner = "(blank)" if inner else "(empty)"
    fence = "`" * (_longest_run(inner) + 1)
    # CommonMark takes one space off both ends, where there is one at both.
    pad = " " if inner[0] in "` " or inner[-1] in "` " else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def _block(line: str) -> tuple[str, ...]:
    fence = "`" * max(3, _longest_run(line) + 1)
    return (f"{fence}sh", line, fence)


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
