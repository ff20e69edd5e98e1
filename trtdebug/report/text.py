"""The report for people: what is wrong, where, what cures it, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_VERDICTS = {
    "matches": "MATCHES: the candidate agrees with the reference",
    "fragile": "FRAGILE: your builds agree, but a build that takes low precision everywhere does not",
    "diverges": "DIVERGES: the candidate does not agree with the reference",
    "untestable": "UNTESTABLE: nothing could be compared",
}
_MOST_NODES = 40
_MOST_OF_A_RULE = 3


def render_text(report: Mapping[str, Any]) -> str:
    """Plain text, lines of any length, no colours.

    Control characters in what others named (nodes, paths, messages) are escaped: they can't act on a terminal.
    """
    return "\n".join(_printable(line) for line in _lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    model, candidate, reference = report["model"], report["candidate"], report["reference"]
    options = candidate["options"]
    yield _VERDICTS[report["verdict"]]
    if report["reason"]:
        yield f"  {report['reason']}"
    yield ""
    yield f"model      {model['path']} ({model['nodes']} nodes, {report['samples']} sample(s))"
    device = f" on {candidate['device']}" if candidate["device"] else ""
    yield f"candidate  {candidate['backend']} {candidate['version']}{device}, {options['precision'].upper()}"
    yield f"reference  {reference['backend']} {reference['version']}"
    yield f"rule       {report['rule']}"
    flaky = report["flaky"]
    if flaky["builds"]:
        yield f"builds     {flaky['failed']} of {flaky['builds']} builds, made as you make them, are wrong"
    yield from _divergence(report["first_divergence"])
    yield from _culprits(report["culprits"])
    yield from _fixes(report["fixes"])
    yield from _repro(report["repro"])
    yield from _findings(report["findings"])
    if report["unknown"]:
        yield ""
        yield "not known"
        yield from (f"  {line}" for line in report["unknown"])
    trials = report["trials"]
    yield ""
    yield (
        f"{trials['total']} trials: {trials['builds']} built in {trials['seconds']:.1f} s, "
        f"{trials['cached']} from the cache, {trials['untestable']} untestable"
    )


def _divergence(divergence: Mapping[str, Any] | None) -> Iterator[str]:
    if divergence is None:
        return
    where = f"{divergence['node']} ({divergence['op']})" if divergence["node"] else "a graph input"
    yield ""
    yield "first divergence"
    yield f"  {divergence['tensor']}, written by {where}"
    errors = [
        f"{name} error {_number(divergence[f'{name}_error'])}"
        for name in ("local", "propagated")
        if divergence[f"{name}_error"] is not None
    ]
    errors.append(f"{divergence['nonfinite']} elements NaN or Inf on one side only")
    yield f"  {', '.join(errors)}"


def _culprits(culprits: list[Mapping[str, Any]]) -> Iterator[str]:
    proven = [c for c in culprits if c["proven"]]
    if proven:
        yield ""
        yield f"cause: {sum(len(c['nodes']) for c in proven)} node(s)"
    for culprit in proven[:_MOST_NODES]:
        yield f"  {' + '.join(culprit['nodes'])}"
        yield f"      {culprit['evidence']}"
    if len(proven) > _MOST_NODES:
        yield f"  ... and {len(proven) - _MOST_NODES} more, see report.json"
    for culprit in culprits:
        if not culprit["proven"]:
            names = ", ".join(culprit["nodes"][:_MOST_NODES])
            more = (
                f" and {len(culprit['nodes']) - _MOST_NODES} more"
                if len(culprit["nodes"]) > _MOST_NODES
                else ""
            )
            yield ""
            yield f"undecided among {len(culprit['nodes'])} node(s): {names}{more}"
            yield f"      {culprit['evidence']}"


def _fixes(fixes: list[Mapping[str, Any]]) -> Iterator[str]:
    for fix in fixes:
        passed, tried = fix["builds_passed"]
        state = "verified" if fix["verified"] else "does not hold"
        yield ""
        yield f"fix ({state}): {fix['summary']}"
        detail = [f"{passed} of {tried} fresh builds pass"]
        if fix["max_rel_after"] is not None:
            detail.append(f"largest error then {_number(fix['max_rel_after'])} of the scale")
        if fix["latency_ratio"] is not None:
            detail.append(f"{_number(fix['latency_ratio'])} times the latency")
        yield f"  {', '.join(detail)}"
        for line in (fix["reason"], fix["note"]):
            if line:
                yield f"  {line}"


def _repro(repro: Mapping[str, Any] | None) -> Iterator[str]:
    if repro is None:
        return
    state = "fails in a fresh process" if repro["verified"] else "not verified"
    yield ""
    yield f"repro ({state}): {repro['path']} ({repro['nodes']} node(s))"
    if repro["note"]:
        yield f"  {repro['note']}"


def _findings(findings: list[Mapping[str, Any]]) -> Iterator[str]:
    if findings:
        yield ""
        yield "findings"
    for rule in dict.fromkeys(f["id"] for f in findings):
        same = [f for f in findings if f["id"] == rule]
        for finding in same[:_MOST_OF_A_RULE]:
            yield f"  {finding['severity']:7} {finding['id']}: {finding['message']}"
            if finding["mitigation"]:
                yield f"          {finding['mitigation']}"
        if len(same) > _MOST_OF_A_RULE:
            yield f"  ... and {len(same) - _MOST_OF_A_RULE} more {rule}, see report.json"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
