"""Both formats, read as GitHub reads them; names hold anything."""

from __future__ import annotations

import copy
from html.parser import HTMLParser

import pytest
import trtdebug_github
from trtdebug_github.annotations import render_annotations
from trtdebug_github.summary import render_summary

pytest_plugins = ["trtdebug.plugins.fixtures"]

HOSTILE = [
    "plain",
    "a,b:c=d",
    "100%0A%25",
    "two\nlines\n::error::injected",
    "\r::add-mask::x",
    "</pre><script>alert(1)</script>",
    "`code` *bold* [link](http://x) | @someone",
    "\x1b[31mred\x07",
    "\udc80\u2028",
    "::error file=x::y",
]


def finding(id_, severity, node=None, message="it is so", mitigation="do that"):
    return {"id": id_, "severity": severity, "node": node, "message": message, "mitigation": mitigation}


REPORT = {
    "schema": 1,
    "verdict": "diverges",
    "reason": "y: relative RMS error 0.9",
    "rule": "||c - r|| / ||r|| <= 0.01",
    "command": "trtdebug run m.onnx --fp16",
    "model": {"path": "/home/u/repo/models/m.onnx", "sha256": "00", "nodes": 3},
    "reference": {"backend": "onnxruntime", "version": "1.20.0"},
    "candidate": {
        "backend": "tensorrt",
        "version": "10.16.1",
        "device": "H200",
        "options": {"precision": "fp16"},
    },
    "flaky": {"builds": 2, "failed": 1},
    "first_divergence": {"tensor": "t", "node": "n", "op": "Pow"},
    "culprits": [{"nodes": ["n"], "kind": "precision", "evidence": "Inf", "proven": True}],
    "fixes": [
        {
            "summary": "pin 1 node",
            "verified": True,
            "untestable": False,
            "builds_passed": [2, 2],
            "latency_ratio": 1.04,
            "reason": "",
        }
    ],
    "repro": {"path": "s/repro", "nodes": 1, "verified": True, "note": ""},
    "findings": [finding("one-thing", "error", "n"), finding("other", "info")],
    "unknown": ["what else"],
    "outputs": [
        {
            "output": "y",
            "build": "as built 1",
            "sample": "s0",
            "status": "fail",
            "rms_rel": 0.9,
            "max_abs": "inf",
            "nonfinite": 3,
        }
    ],
}


def report(**changes):
    return copy.deepcopy(REPORT) | changes


def named(name):
    """A report in which everything that others named or said is `name`."""
    made = report(reason=name, rule=name, command=name, unknown=[name])
    made["model"]["path"] = f"/home/u/repo/{name}"
    made["candidate"]["device"] = made["reference"]["version"] = name
    made["culprits"] = [{"nodes": [name], "kind": "precision", "evidence": name, "proven": True}]
    made["first_divergence"] = {"tensor": name, "node": name, "op": name}
    made["fixes"][0] |= {"summary": name, "reason": name}
    made["repro"]["path"] = name
    made["outputs"][0] |= {"output": name, "sample": name}
    made["findings"] = [finding("id", "warning", name, name, name)]
    return made


def test_the_package_adds_both_formats(trtdebug_plugin):
    formats = {found.value.name for found in trtdebug_plugin(trtdebug_github).collect("reports")}
    assert formats == {"github", "github-summary"}


@pytest.mark.parametrize("render", [render_annotations, render_summary])
def test_marks_that_are_not_built_are_named_and_not_the_nodes_that_write_them(render):
    marks = {"nodes": ["writes_a"], "tensors": ["mark_a"], "kind": "build", "evidence": "", "proven": True}
    text = render(report(culprits=[marks]))
    assert "mark_a" in text
    assert "writes_a" not in text


# annotations -----------------------------------------------------------------------------------------------


def runner(text):
    """Commands of a step's output, as `ActionCommand.TryParseV2` of actions/runner reads them."""
    found = []
    for line in text.splitlines():
        assert line.lstrip().startswith("::"), line
        end = line.index("::", 2)
        command, _, properties = line[2:end].partition(" ")
        pairs = dict(p.split("=", 1) for p in properties.split(",") if p)
        values = {key: unescaped(value, {"%3A": ":", "%2C": ","}) for key, value in pairs.items()}
        found.append((command, values, unescaped(line[end + 2 :], {})))
    return found


def unescaped(text, more):
    for code, sign in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(code, sign)
    return text


def test_verdict_cause_fix_and_findings_are_annotations(monkeypatch):
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert runner(render_annotations(report())) == [
        ("error", {"title": "trtdebug: diverges in FP16"}, "y: relative RMS error 0.9"),
        ("error", {"title": "trtdebug: cause n"}, "Inf"),
        (
            "notice",
            {"title": "trtdebug: fix, verified, 2 of 2 builds pass, 1.04 times the latency"},
            "pin 1 node",
        ),
        ("error", {"title": "trtdebug: one-thing"}, "it is so do that"),
        ("notice", {"title": "trtdebug: other"}, "it is so do that"),
    ]


@pytest.mark.parametrize(
    ("verdict", "level"),
    [("matches", "notice"), ("fragile", "warning"), ("diverges", "error"), ("untestable", "warning")],
)
def test_the_verdict_s_level(verdict, level):
    made = report(verdict=verdict, reason="", culprits=[], fixes=[], findings=[])
    ((found, _, message),) = runner(render_annotations(made))
    assert found == level
    assert message


def test_what_is_not_proven_is_a_warning():
    made = report(culprits=[REPORT["culprits"][0] | {"proven": False}])
    assert runner(render_annotations(made))[1][:2] == ("warning", {"title": "trtdebug: undecided among n"})


@pytest.mark.parametrize("count", [9, 10, 11, 40])
def test_of_a_level_there_are_no_more_than_github_shows(count):
    made = report(verdict="fragile", culprits=[], findings=[finding(f"f{i}", "error") for i in range(count)])
    errors = [(values, text) for level, values, text in runner(render_annotations(made)) if level == "error"]
    assert len(errors) == min(count, 10)
    if count > 10:
        assert errors[-1][0] == {"title": f"trtdebug: {count - 9} more"}
    else:
        assert errors[-1][0] == {"title": f"trtdebug: f{count - 1}"}


def test_a_model_in_the_repository_has_the_annotations_at_its_file(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/u/repo")
    assert {values["file"] for _, values, _ in runner(render_annotations(report()))} == {"models/m.onnx"}
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/u/other")
    assert all("file" not in values for _, values, _ in runner(render_annotations(report())))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_inside_of_their_annotation(name, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/u/repo")
    text = render_annotations(named(name))
    text.encode()
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    found = runner(text)
    assert [level for level, _, _ in found] == ["error", "error", "notice", "warning"]
    assert all(set(values) == {"title", "file"} for _, values, _ in found)
    assert found[0][2] == shown
    assert found[1][1]["title"] == f"trtdebug: cause {shown}"


# the summary -----------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags and texts of a page; every tag that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = set(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data)


def test_the_summary_has_all_sections():
    text = render_summary(report())
    page = Page(text)
    assert "DIVERGES: " in page.texts
    for said in (
        "Cause",
        "Fixes",
        "Outputs",
        "Findings (2)",
        "Not known (1)",
        "1 of 2 are wrong",
        "inf",
        "0.9",
    ):
        assert said in page.texts, said
    assert "\n\n" not in text  # a blank line ends a block of HTML


def test_a_match_has_no_empty_sections():
    made = report(
        verdict="matches",
        reason="",
        culprits=[],
        fixes=[],
        findings=[],
        unknown=[],
        outputs=[],
        repro=None,
        first_divergence=None,
    )
    page = Page(render_summary(made))
    assert not {"Cause", "Fixes", "Outputs"} & set(page.texts)
    assert "the candidate agrees with the reference" in page.texts


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_the_summary(name):
    text = render_summary(named(name))
    text.encode()
    page = Page(text)
    assert page.tags <= {
        "h2", "h3", "p", "table", "tr", "td", "th", "ul", "li", "details", "summary", "code", "pre"
    }  # fmt: skip
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert page.texts.count(shown) >= 6
    assert "\n\n" not in text


def test_long_lists_are_cut():
    made = report(findings=[finding("f", "info", message="m" * 2000) for _ in range(1000)])
    text = render_summary(made)
    assert len(text) < 100_000
    assert "and 950 more in report.json" in text
