"""SARIF 2.1.0."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema
import pytest
from diagnoses import CASE, diagnoses, finding, full, plain
from hypothesis import given, settings
from sarif_schema import sarif_schema

from trtdebug.core.case import Case
from trtdebug.core.diagnosis import BackendInfo, Culprit, Diagnosis
from trtdebug.core.finding import Finding
from trtdebug.report.build import build_report
from trtdebug.report.sarif import render_sarif


def run_of(diagnosis: Diagnosis, case: Case = CASE) -> dict[str, Any]:
    [run] = json.loads(render_sarif(build_report(case, diagnosis)))["runs"]
    return run


@cache
def validator() -> Any:
    schema = sarif_schema()
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema)


@pytest.mark.parametrize(
    "diagnosis", [full(), full(float("nan")), plain(), plain("untestable"), plain("fragile")]
)
def test_it_is_valid(diagnosis: Diagnosis) -> None:
    validator().validate(json.loads(render_sarif(build_report(CASE, diagnosis))))


def test_the_schema_refuses_what_is_wrong() -> None:
    """Else the tests beside it would show nothing."""
    log = json.loads(render_sarif(build_report(CASE, full())))
    log["runs"][0]["results"][0]["level"] = "info"
    assert not validator().is_valid(log)


@settings(max_examples=25, deadline=None)
@given(diagnoses())
def test_it_is_valid_whatever_the_names(generated: tuple[Case, Diagnosis]) -> None:
    validator().validate(json.loads(render_sarif(build_report(*generated))))


def test_rules_levels_and_places() -> None:
    run = run_of(full())
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["verdict", "culprit-precision", "culprit-unknown", "output-constant"]
    assert not any("helpUri" in rule for rule in run["tool"]["driver"]["rules"])
    found = [(r["ruleId"], r["kind"], r["level"]) for r in run["results"]]
    assert found == [
        ("verdict", "fail", "error"),
        ("culprit-precision", "fail", "error"),
        ("culprit-unknown", "fail", "warning"),
        ("output-constant", "fail", "warning"),
    ]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    places = [r["locations"][0]["logicalLocations"] for r in run["results"]]
    assert places == [
        [{"fullyQualifiedName": "pow_out", "kind": "tensor"}],
        [{"fullyQualifiedName": "pow", "kind": "node"}, {"fullyQualifiedName": "var", "kind": "node"}],
        [{"fullyQualifiedName": "mul", "kind": "node"}, {"fullyQualifiedName": "add", "kind": "node"}],
        [{"fullyQualifiedName": "node0", "kind": "node or tensor"}],
    ]
    assert run["artifacts"][0]["location"]["uri"] == "file:///models/norm.onnx"
    assert run["results"][0]["properties"]["first_divergence"]["max_abs"] == 0.5


def test_what_is_known_to_be_a_node_or_a_tensor_is_said() -> None:
    found = (Finding("a", "info", "m", "y"), Finding("a", "info", "m", "pow"), Finding("a", "error", "m"))
    *_, tensor, node, model = run_of(replace(full(), findings=found))["results"]
    assert tensor["locations"][0]["logicalLocations"][0]["kind"] == "tensor"
    assert node["locations"][0]["logicalLocations"][0]["kind"] == "node"
    assert "logicalLocations" not in model["locations"][0]
    assert [r["level"] for r in (tensor, model)] == ["note", "error"]


@pytest.mark.parametrize(
    ("verdict", "kind", "level", "code"),
    [
        ("matches", "pass", "none", 0),
        ("fragile", "fail", "warning", 1),
        ("diverges", "fail", "error", 1),
        ("untestable", "open", "none", 4),
    ],
)
def test_verdicts(verdict: str, kind: str, level: str, code: int) -> None:
    run = run_of(plain(verdict), replace(CASE, command="trtdebug run 'my model.onnx'"))
    [result] = run["results"]
    assert (result["kind"], result["level"]) == (kind, level)
    [invocation] = run["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (code, True)
    assert invocation["commandLine"] == "trtdebug run 'my model.onnx'"


def test_our_extensions() -> None:
    tool = run_of(full())["tool"]
    assert tool["driver"]["version"] == "0.1.0"
    assert tool["extensions"] == [{"name": "trtdebug-layernorm", "version": "1.2"}]


def fingerprints(diagnosis: Diagnosis, case: Case = CASE) -> list[str]:
    return [r["partialFingerprints"]["ruleAndNames/v1"] for r in run_of(diagnosis, case)["results"]]


def test_fingerprints_depend_on_rule_and_names_only() -> None:
    elsewhere = replace(CASE, model="/other/copy.onnx", sha256="ef" * 32, nodes=10)
    evidence = tuple(replace(c, evidence="other words") for c in full().culprits)
    other = replace(
        full(0.25),
        culprits=evidence,
        reason="y: relative RMS error 0.9",
        candidate=BackendInfo("tensorrt", "10.1", "L4"),
        first_divergence=None,
        findings=(replace(finding("output-constant"), message="other words"),),
    )
    assert fingerprints(full()) == fingerprints(other, elsewhere)
    moved = replace(full(), culprits=(Culprit(("pow", "sqrt"), "precision", ""), full().culprits[1]))
    same = [a == b for a, b in zip(fingerprints(full()), fingerprints(moved), strict=True)]
    assert same == [True, False, True, True]


def test_equal_findings_are_told_apart() -> None:
    twice = fingerprints(replace(plain(), findings=(finding("a"), finding("a"))))
    assert len(set(twice)) == 3


def test_messages_hold_no_links_and_no_placeholders() -> None:
    evil = Finding("a", "info", "{0} [here](http://x) {ForeignNode[a...b]}\x1b[31m", None)
    *_, result = run_of(replace(plain(), findings=(evil,)))["results"]
    assert result["message"]["text"] == "{{0}} [here] (http://x) {{ForeignNode[a...b]}}."


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/a b/ü#?.onnx", "file:///a%20b/%C3%BC%23%3F.onnx"),
        ("C:\\models\\m.onnx", "file:///C:/models/m.onnx"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//host/m.onnx", "file:////host/m.onnx"),
    ],
)
def test_the_model_as_a_uri(path: str, uri: str) -> None:
    run = run_of(plain(), replace(CASE, model=path))
    assert run["artifacts"][0]["location"]["uri"] == uri
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": uri,
        "index": 0,
    }


def test_a_report_of_an_older_session() -> None:
    report = build_report(CASE, full())
    del report["outputs"], report["tool"]
    validator().validate(json.loads(render_sarif(report)))
