"""JUnit XML, as CI systems read it: a testcase for the verdict, each output and sample, each finding's rule."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtdebug.core.told import NOT_KNOWN
from trtdebug.report.blamed import blamed
from trtdebug.report.strings import plain

_LONGEST = 8000  # characters of the details of a testcase

Report = Mapping[str, Any]


@dataclass(frozen=True)
class _Testcase:
    """One testcase.

    Attributes:
        state: None for a pass.
        reason: why it failed or was skipped, one line.
        details: the body of the failure, or what a pass has to say.
    """

    name: str
    state: str | None = None
    kind: str = ""
    reason: str = ""
    details: str = ""


def render_junit(report: Report) -> str:
    """Three suites: `verdict`, `outputs` (as built and forced) and `findings`; errors among these fail.

    `matches` passes, `untestable` is skipped. Control characters and what XML can't hold are escaped as in Python;
    the properties `culprit` are JSON arrays of names.
    """
    root = ElementTree.Element("testsuites", name="trtdebug")
    suites = (
        _suite(root, "verdict", [_verdict(report)]),
        _suite(root, "outputs", [_output(o) for o in report.get("outputs", ())]),
        _suite(root, "findings", list(_findings(report["findings"]))),
    )
    suites[0].set("time", f"{report['trials']['seconds']:.3f}")
    root.set("time", f"{report['trials']['seconds']:.3f}")
    _properties(suites[0], report)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(root: ElementTree.Element, name: str, cases: Sequence[_Testcase]) -> ElementTree.Element:
    counts = {
        "tests": len(cases),
        "failures": sum(case.state == "failure" for case in cases),
        "errors": 0,
        "skipped": sum(case.state == "skipped" for case in cases),
    }
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": f"trtdebug.{name}"} | {key: str(count) for key, count in counts.items()}
    )
    for case in cases:
        element = ElementTree.SubElement(
            suite, "testcase", {"classname": f"trtdebug.{name}", "name": plain(case.name)}
        )
        if case.state is not None:
            attributes = {"message": plain(case.reason)} | ({"type": plain(case.kind)} if case.kind else {})
            told = ElementTree.SubElement(element, case.state, attributes)
        elif case.details:
            told = ElementTree.SubElement(element, "system-out")
        else:
            continue
        told.text = _lines(case.details)
    return suite


def _properties(suite: ElementTree.Element, report: Report) -> None:
    """What the verdict is of and rests on, before its testcase, where JUnit's schema has it."""
    model, candidate, reference = report["model"], report["candidate"], report["reference"]
    told = [
        ("verdict", report["verdict"]),
        ("model", model["path"]),
        ("model.sha256", model["sha256"]),
        ("candidate", f"{candidate['backend']} {candidate['version']} {candidate['device']}".strip()),
        ("reference", f"{reference['backend']} {reference['version']}".strip()),
        ("rule", report["rule"]),
        ("command", report["command"]),
        # JSON in ASCII: names come back as they are, whatever is in them
        *(("culprit" if c["proven"] else "undecided", json.dumps(blamed(c))) for c in report["culprits"]),
    ]
    properties = ElementTree.Element("properties")
    for name, value in told:
        ElementTree.SubElement(properties, "property", name=name, value=plain(value))
    suite.insert(0, properties)


def _verdict(report: Report) -> _Testcase:
    name, verdict = "candidate agrees with reference", report["verdict"]
    kind = (report.get("signature") or {}).get("kind", "")
    lines = [report["reason"]]
    for culprit in report["culprits"]:
        what = "cause" if culprit["proven"] else "undecided among"
        lines.append(f"{what}: {', '.join(blamed(culprit))} ({culprit['kind']}): {culprit['evidence']}")
    lines += [f"fix (verified): {f['summary']}" for f in report["fixes"] if f["verified"]]
    lines += [f"not known: {line}" for line in report["unknown"]]
    details = "\n".join(plain(line) for line in lines if line)
    state = {"matches": None, "untestable": "skipped"}.get(verdict, "failure")
    return _Testcase(name, state, kind or verdict, f"{verdict}: {report['reason']}".rstrip(": "), details)


def _output(output: Mapping[str, Any]) -> _Testcase:
    sample = f"sample {output['sample']}" if output["sample"] else "worst of all samples"
    name = f"{output['output']} [{output['build']}, {sample}]"
    numbers = ", ".join(
        f"{key} {NOT_KNOWN if output[key] is None else output[key]}"
        for key in ("rms_rel", "max_abs", "max_rel", "nonfinite", "elements")
    )
    state = {"pass": None, "fail": "failure"}.get(output["status"], "skipped")
    return _Testcase(
        name, state, output["kind"] or "", output["reason"], f"{numbers}\n{plain(output['rule'])}"
    )


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[_Testcase]:
    """A testcase a rule: JUnit knows no warnings, so what is no error passes and says what it found."""
    for rule in dict.fromkeys(f["id"] for f in findings):
        same = [f for f in findings if f["id"] == rule]
        errors = [f for f in same if f["severity"] == "error"]
        details = "\n".join(plain(f"{f['severity']}: {f['message']} {f['mitigation']}".strip()) for f in same)
        first = errors[0]["message"] if errors else ""
        yield _Testcase(rule, "failure" if errors else None, rule if errors else "", first, details)


def _lines(text: str) -> str:
    """Lines that are plain already, as many of them as are worth reading here."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n... see report.json"
