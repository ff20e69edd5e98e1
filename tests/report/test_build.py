"""report.json: its keys are a contract."""

from __future__ import annotations

import json
import math

import pytest
from diagnoses import CASE, full, plain

from trtdebug.report.build import build_report, exit_code
from trtdebug.report.formats import render_json

CONTRACT = {
    "schema",
    "verdict",
    "signature",
    "model",
    "reference",
    "candidate",
    "flaky",
    "first_divergence",
    "culprits",
    "fixes",
    "repro",
    "trials",
    "findings",
    "stages",
}
PARTS = {
    "signature": {"kind", "outputs"},
    "model": {"path", "sha256", "nodes"},
    "reference": {"backend", "version"},
    "candidate": {"backend", "version", "device", "options"},
    "flaky": {"builds", "failed"},
    "first_divergence": {
        "tensor",
        "node",
        "op",
        "max_abs",
        "max_rel",
        "nonfinite",
        "local_error",
        "propagated_error",
    },
    "culprits": {"nodes", "kind", "evidence"},
    "fixes": {
        "kind",
        "summary",
        "interventions",
        "verified",
        "builds_passed",
        "max_rel_after",
        "latency_ratio",
        "latency_ms",
        "untestable",
        "untested_pins",
        "beside",
        "of_limit",
    },
    "repro": {"path", "nodes", "verified"},
    "trials": {"total", "builds", "cached", "untestable", "seconds"},
    "findings": {"id", "severity", "node", "message", "mitigation"},
    "stages": {"name", "seconds", "trials"},
}


@pytest.mark.parametrize("diagnosis", [full(), plain()])
def test_every_key_of_the_contract_is_there(diagnosis):
    report = build_report(CASE, diagnosis)
    assert report.keys() >= CONTRACT
    assert report["schema"] == 1
    for part, keys in PARTS.items():
        for one in report[part] if isinstance(report[part], list) else [report[part]]:
            assert one is None or one.keys() >= keys, part


def test_the_full_report_has_every_part():
    """Else the test above would look at nothing."""
    report = build_report(CASE, full())
    assert all(report[part] for part in PARTS)


def test_what_is_not_there_is_null():
    report = build_report(CASE, plain())
    assert (report["signature"], report["first_divergence"], report["repro"]) == (None, None, None)
    assert (report["culprits"], report["fixes"], report["findings"]) == ([], [], [])


def test_interventions_name_their_kind():
    (fix,) = build_report(CASE, full())["fixes"]
    assert fix["interventions"] == [
        {"kind": "PinPrecision", "nodes": ["pow", "var"], "dtype": "fp32"},
        {"kind": "Knob", "name": "tf32", "value": "off"},
    ]
    assert fix["builds_passed"] == [5, 5]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_json_is_strict_whatever_the_numbers(value):
    report = build_report(CASE, full(value))
    again = json.loads(render_json(report), parse_constant=pytest.fail)
    assert again["first_divergence"]["max_abs"] == repr(value)
    assert again["fixes"][0]["latency_ratio"] == repr(value)
    assert list(again)[:2] == ["schema", "verdict"]


def test_json_keeps_what_it_was_given():
    report = build_report(CASE, full())
    assert json.loads(render_json(report)) == report


@pytest.mark.parametrize(
    ("verdict", "code"), [("matches", 0), ("diverges", 1), ("fragile", 1), ("untestable", 4)]
)
def test_exit_codes(verdict, code):
    assert exit_code(verdict) == code
