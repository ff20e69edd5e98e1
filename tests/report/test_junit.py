"""JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from diagnoses import CASE, EVIL_NAMES, diagnoses, full, plain
from hypothesis import given, settings
from junitparser import JUnitXml

from trtdebug.core.case import Case
from trtdebug.core.diagnosis import Diagnosis, OutputVerdict
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import TensorError
from trtdebug.report.build import build_report
from trtdebug.report.junit import render_junit


def junit(diagnosis: Diagnosis, case: Case = CASE) -> str:
    return render_junit(build_report(case, diagnosis))


def states(text: str) -> dict[str, tuple[str, str]]:
    """By testcase its state and message, as junitparser reads them."""
    found = {}
    for suite in JUnitXml.fromstring(text.encode()):
        for case in suite:
            result = case.result[0] if case.result else None
            found[case.name] = (result._tag, result.message) if result is not None else ("passed", "")
    return found


def test_a_testcase_for_the_verdict_each_output_and_sample_and_each_rule() -> None:
    assert states(junit(full())) == {
        "candidate agrees with reference": (
            "failure",
            "diverges: y: relative RMS error 1 breaks ||c - r|| / ||r|| <= 0.01",
        ),
        "y [as built 1, sample 0]": ("passed", ""),
        "y [as built 1, sample 1]": ("failure", "y is off"),
        "y [forced, sample 0]": ("skipped", "could not be built"),
        "output-constant": ("passed", ""),
    }


def test_counts() -> None:
    root = JUnitXml.fromstring(junit(full()).encode())
    assert (root.tests, root.failures, root.errors, root.skipped) == (5, 2, 0, 1)
    counted = JUnitXml.fromstring(junit(full()).encode())
    counted.update_statistics()
    assert (counted.tests, counted.failures, counted.errors, counted.skipped) == (5, 2, 0, 1)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [("matches", "passed"), ("fragile", "failure"), ("diverges", "failure"), ("untestable", "skipped")],
)
def test_verdicts(verdict: str, state: str) -> None:
    [(found, _)] = states(junit(plain(verdict))).values()
    assert found == state


def test_findings_fail_where_one_of_their_rule_is_an_error() -> None:
    found = (
        Finding("mixed", "warning", "first"),
        Finding("mixed", "error", "second", mitigation="mend it"),
        Finding("doubt", "warning", "third"),
    )
    text = junit(replace(plain(), findings=found))
    assert states(text)["mixed"] == ("failure", "second")
    assert states(text)["doubt"] == ("passed", "")
    told = ElementTree.fromstring(text).findtext(".//testcase[@name='mixed']/failure")
    assert told == "warning: first\nerror: second mend it"
    assert ElementTree.fromstring(text).findtext(".//testcase[@name='doubt']/system-out") == "warning: third"


def test_only_the_worst_of_all_samples_is_known() -> None:
    output = OutputVerdict("as built 1", "", TensorError("y", "pass"))
    assert "y [as built 1, worst of all samples]" in states(junit(replace(plain(), outputs=(output,))))


def test_the_verdict_says_cause_and_fix() -> None:
    told = ElementTree.fromstring(junit(full())).findtext(".//failure")
    assert told is not None
    assert "\ncause: pow, var (precision): low together" in told
    assert "\nundecided among: mul, add (unknown)" in told
    assert "\nfix (verified): keep 2 nodes in FP32\nnot known: 3 nodes" in told


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_break_nothing(name: str) -> None:
    output = OutputVerdict("as built 1", name, TensorError(name, "fail", reason=name, rule=name))
    d = replace(full(), reason=name, outputs=(output,), findings=(Finding(name, "error", name, name, name),))
    text = junit(d, replace(CASE, model=name, command=name))
    assert len(ElementTree.fromstring(text).findall(".//testcase")) == len(states(text)) == 3


@settings(max_examples=40, deadline=None)
@given(diagnoses())
def test_any_report_is_xml(generated: tuple[Case, Diagnosis]) -> None:
    text = render_junit(build_report(*generated))
    cases = [case for suite in JUnitXml.fromstring(text.encode()) for case in suite]
    assert len(cases) == len(ElementTree.fromstring(text).findall(".//testcase")) >= 1


def test_a_report_of_an_older_session() -> None:
    report = build_report(CASE, full())
    del report["outputs"], report["tool"]
    assert len(states(render_junit(report))) == 2
