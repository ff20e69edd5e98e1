"""The report for people: what is wrong, where, what cures it, and what is not known."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trtdebug.core.told import number_text
from trtdebug.core.words import listed
from trtdebug.oracle.indices import CHOICE_RULE
from trtdebug.report.blamed import blamed, counted
from trtdebug.report.few import MOST, few_of_each
from trtdebug.report.no_cause import no_cause, no_repro
from trtdebug.report.strings import backend_text, divergence_errors, fix_numbers, repro_command
from trtdebug.report.verdict_words import builds_words, verdict_words
from trtdebug.scripts.words import printable, shell_line

_MOST_NODES = 40
_MOST_PINS = 20
_LONGEST_NAME = 120


def render_text(report: Mapping[str, Any]) -> str:
    """Plain text, lines of any length, no colours.

    Control characters in what others named (nodes, paths, messages) are escaped: they can't act on a terminal.
    """
    return "\n".join(printable(line) for line in _lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    model, candidate, reference = report["model"], report["candidate"], report["reference"]
    options = candidate["options"]
    if (report["signature"] or {}).get("kind") == "build-failure" and report["culprits"]:
        yield f"UNTESTABLE: {cut_names(report['reason'])}"
        report = {**report, "reason": ""}
    else:
        yield f"{report['verdict'].upper()}: {verdict_words(report)}"
    if report["reason"]:
        yield f"  {cut_names(report['reason'])}"
    yield ""
    yield f"model      {model['path']} ({model['nodes']} nodes, {report['samples']} sample(s))"
    device = f" on {candidate['device']}" if candidate["device"] else ""
    yield f"candidate  {backend_text(candidate)}{device}, {options['precision'].upper()}"
    yield f"reference  {backend_text(reference)}"
    yield f"rule       {report['rule']}"
    yield from _other_choices(report.get("outputs", []))
    if report["flaky"]["builds"]:
        yield f"builds     {builds_words(report, ', made as you make them,')}"
    yield from _divergence(
        report["first_divergence"], {n for c in report["culprits"] if c["proven"] for n in c["nodes"]}
    )
    yield from _culprits(report["culprits"])
    yield from _no_cause(report)
    yield from _fixes(report["fixes"], candidate, report.get("fix_folder"))
    yield from _repro(report["repro"])
    yield from _findings(report["findings"])
    if report["unknown"]:
        yield ""
        yield "not known"
        yield from (f"  {cut_names(line)}" for line in report["unknown"])
    trials = report["trials"]
    yield ""
    yield (
        f"{trials['total']} trials: {trials['builds']} built in {trials['seconds']:.1f} s, "
        f"{trials['cached']} from the cache, {trials['untestable']} untestable"
    )


def _other_choices(outputs: list[Mapping[str, Any]]) -> Iterator[str]:
    """Indices that pass although the sides chose differently, by the rule that takes them: one line an output."""
    rules: dict[str, str] = {}
    for output in outputs:
        if output["status"] == "pass" and output["rule"].startswith(CHOICE_RULE):
            rules.setdefault(output["output"], output["rule"])
    lines = [f"{_name(output)}: {cut_names(rule)}" for output, rule in rules.items()]
    if len(lines) > MOST:
        lines[MOST:] = [f"... and {len(lines) - MOST} more outputs, see report.json"]
    yield from (f"           {line}" for line in lines)


def _divergence(divergence: Mapping[str, Any] | None, at_fault: Collection[str]) -> Iterator[str]:
    if divergence is None:
        return
    where = f"{_name(divergence['node'])} ({divergence['op']})" if divergence["node"] else "a graph input"
    yield ""
    yield "first culprit" if divergence["node"] in at_fault else "first divergence"
    yield f"  {_name(divergence['tensor'])}, written by {where}"
    yield f"  {divergence_errors(divergence)}"


def _culprits(culprits: list[Mapping[str, Any]]) -> Iterator[str]:
    proven = [c for c in culprits if c["proven"]]
    if proven:
        yield ""
        yield f"cause: {counted(proven)}"
    for culprit in proven[:_MOST_NODES]:
        yield f"  {' + '.join(map(_name, blamed(culprit)))}{_within(culprit)}"
        yield f"      {cut_names(culprit['evidence'])}"
    if len(proven) > _MOST_NODES:
        yield f"  ... and {len(proven) - _MOST_NODES} more, see report.json"
    for culprit in culprits:
        if not culprit["proven"]:
            names = listed(map(_name, blamed(culprit)), _MOST_NODES)
            yield ""
            yield f"undecided among {counted([culprit])}: {names}"
            yield f"      {cut_names(culprit['evidence'])}"


def _no_cause(report: Mapping[str, Any]) -> Iterator[str]:
    words = no_cause(report, _name)
    if words:
        yield ""
        yield f"cause: {words}"
    if why := no_repro(report):
        yield f"  {why}"


def _within(culprit: Mapping[str, Any]) -> str:
    """The nodes that hold it, the innermost first."""
    return "".join(f", in {_name(name)}" for name in reversed(culprit.get("inside", [])))


def _fixes(fixes: list[Mapping[str, Any]], candidate: Mapping[str, Any], folder: str | None) -> Iterator[str]:
    """The fix to take first, and where it lies; then the others that hold, and what was tried besides."""
    holding = [fix for fix in reversed(fixes) if fix["verified"]]
    tried_in_vain = [fix for fix in fixes if not fix["verified"]]
    for number, fix in enumerate((*holding, *tried_in_vain)):
        yield from _fix(fix, fix is fixes[-1], candidate)
        if number == 0:
            yield from _fix_folder(folder)


def _fix(fix: Mapping[str, Any], last: bool, candidate: Mapping[str, Any]) -> Iterator[str]:
    passed, tried = fix["builds_passed"]
    yield ""
    yield f"fix ({fix_state(fix, last)}): {cut_names(fix['summary'])}"
    detail = [f"{passed} of {tried} fresh builds pass"] if tried else []
    detail += fix_numbers(fix)
    if detail:
        yield f"  {', '.join(detail)}"
    if fix["latency_ms"] is not None:
        yield f"  {_latencies(fix['latency_ms'])}"
    for line in (fix["reason"], fix["note"], _untested(fix["untested_pins"])):
        if line:
            yield f"  {cut_names(line)}"
    if fix["verified"] and (how := trtexec_command(fix, candidate)):
        yield f"  apply: {how}"


def _fix_folder(folder: str | None) -> Iterator[str]:
    """Where the fix lies, and how to see whether it still holds."""
    if folder is not None:
        yield f"  for production: {folder} (README.txt); still holding? {shell_line('trtdebug', 'verify', folder)}"


def fix_state(fix: Mapping[str, Any], last: bool) -> str:
    """Whether it holds. Of two that do the last one is the faster, where the other is not there to be compared."""
    if fix["verified"]:
        other = "for comparison" if fix.get("beside") else "slower"
        return "verified" if last else f"verified, {other}"
    if fix["untestable"]:
        return "could not be tested"
    passed, tried = fix["builds_passed"]
    return "not verified" if passed == tried else "does not hold"


def _latencies(latency: Mapping[str, Any]) -> str:
    what = (("fixed", "with the fix"), ("natural", "without it"), ("fp32", "in FP32"))
    told = (
        f"{f'{number_text(latency[key])} ms' if latency[key] is not None else 'not known'} {words}"
        for key, words in what
    )
    return f"latency: {', '.join(told)}"


def _untested(pins: list[str]) -> str:
    """Of how many pins nobody knows whether they are needed; empty where of none."""
    verb = "is" if len(pins) == 1 else "are"
    return (
        f"whether {len(pins)} of the pins {verb} needed could not be tested: {listed(map(_name, pins), 4)}"
        if pins
        else ""
    )


def trtexec_command(fix: Mapping[str, Any], candidate: Mapping[str, Any]) -> str:
    """How to build with its pins; empty where they are no pins to FP32, too many, or have no name in trtexec."""
    interventions: list[Mapping[str, Any]] = fix["interventions"]
    precision = candidate["options"]["precision"]
    pins = [i for i in interventions if i["kind"] == "PinPrecision" and i["dtype"] == "fp32"]
    nodes = [name for pin in pins for name in pin["nodes"]]
    if (
        precision not in ("fp16", "bf16")
        or len(pins) < len(interventions)
        or not 0 < len(nodes) <= _MOST_PINS
    ):
        return ""
    if candidate["backend"] == "tensorrt" and _strongly_typed(candidate["version"]):
        return f"Cast nodes around them in the ONNX model (trtexec of TensorRT 11 has no --{precision})"
    known: list[str] | None = fix.get("layer_flags")
    if known is not None:
        return shell_line("trtexec", f"--{precision}", *known) if known else ""
    if any(mark in name for name in nodes for mark in ",:*'"):
        return ""
    layers = ",".join(f"{name}:fp32" for name in nodes)
    words = [f"--{precision}", "--precisionConstraints=obey", f"--layerPrecisions={layers}"]
    return shell_line("trtexec", *words, f"--layerOutputTypes={layers}")


def _repro(repro: Mapping[str, Any] | None) -> Iterator[str]:
    if repro is None:
        return
    state = "fails in a fresh process" if repro["verified"] else "not verified"
    yield ""
    yield f"repro ({state}): {repro['path']} ({repro['nodes']} node(s))"
    if repro["note"]:
        yield f"  {cut_names(repro['note'])}"
    if not repro.get("standalone", True):
        yield f"  repro.py cannot run this backend by itself; what can: {repro_command(repro)}"


def _findings(findings: list[Mapping[str, Any]]) -> Iterator[str]:
    if findings:
        yield ""
        yield "findings"
    for rule, few, left in few_of_each(findings, lambda f: str(f["id"])):
        for finding in few:
            yield f"  {finding['severity']:7} {finding['id']}: {cut_names(finding['message'])}"
            if finding["mitigation"]:
                yield f"          {cut_names(finding['mitigation'])}"
        if left:
            yield f"  ... and {left} more {rule}, see report.json"


def _strongly_typed(version: str) -> bool:
    """Whether this TensorRT takes precisions from the model only."""
    major = version.partition(".")[0]
    return major.isdecimal() and int(major) >= 11


def _name(name: str) -> str:
    """A name of any length, cut in the middle."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 2 - 2]}...{name[1 - _LONGEST_NAME // 2 :]}"


def cut_names(text: str) -> str:
    """A message in which long names are cut."""
    return re.sub(rf"\S{{{_LONGEST_NAME + 1},}}", lambda found: _name(found[0]), text)
