"""All formats tell the same, whatever the names in it: verdict and culprits are read back from each."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html import unescape
from itertools import pairwise
from typing import Any

from diagnoses import diagnoses
from hypothesis import given, settings
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from trtdebug.core.case import Case
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.report.blamed import blamed, counted
from trtdebug.report.build import build_report, exit_code
from trtdebug.report.formats import trtdebug_reports
from trtdebug.report.strings import plain, shortened
from trtdebug.scripts.words import printable

RENDER: dict[str, Callable[[Any], str]] = {f.name: f.render for f in trtdebug_reports()}
Told = tuple[str, set[tuple[str, ...]], set[tuple[str, ...]]]
"""Verdict, culprits that are proven, and undecided ones."""


def of_report(report: dict[str, Any]) -> Told:
    proven = {tuple(blamed(c)) for c in report["culprits"] if c["proven"]}
    undecided = {tuple(blamed(c)) for c in report["culprits"] if not c["proven"]}
    return report["verdict"], proven, undecided


def of_sarif(text: str) -> Told:
    assert text.isascii()
    [run] = json.loads(text, parse_constant=lambda name: 1 / 0)["runs"]
    verdict, *rest = run["results"]
    culprits = [r for r in rest if "proven" in r["properties"]]
    for r in culprits:
        places = {p["fullyQualifiedName"] for p in r["locations"][0]["logicalLocations"]}
        assert places == {"::".join((*r["properties"]["inside"], n)) for n in blamed(r["properties"])}
        assert r["level"] == ("error" if r["properties"]["proven"] else "warning")
    kinds = {"pass": {"matches"}, "open": {"untestable"}, "fail": {"diverges", "fragile"}}
    assert verdict["properties"]["verdict"] in kinds[verdict["kind"]]
    assert run["invocations"][0]["exitCode"] == exit_code(verdict["properties"]["verdict"])
    return (
        verdict["properties"]["verdict"],
        {tuple(blamed(r["properties"])) for r in culprits if r["properties"]["proven"]},
        {tuple(blamed(r["properties"])) for r in culprits if not r["properties"]["proven"]},
    )


def of_junit(text: str) -> Told:
    suite = ElementTree.fromstring(text).find("testsuite")
    assert suite is not None
    told = [(p.get("name"), p.get("value", "")) for p in suite.iter("property")]
    verdict = dict(told)["verdict"]
    [parsed, *_] = JUnitXml.fromstring(text.encode())
    [case] = parsed
    states = {"matches": (), "untestable": ("skipped",)}
    assert tuple(r._tag for r in case.result) == states.get(verdict, ("failure",))
    culprits, undecided = (
        {tuple(json.loads(value)) for name, value in told if name == key} for key in ("culprit", "undecided")
    )
    return verdict, culprits, undecided


def of_markdown(text: str) -> Told:
    """From the parsed document: the first heading, and the code spans of the list under "Cause"."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    sections: dict[str, list[Any]] = {}
    for token, after in pairwise(tokens):
        if token.type == "heading_open":
            sections[after.content] = []
        elif sections:
            list(sections.values())[-1].append(token)
    verdict = next(iter(sections)).partition(":")[0].lower()
    found: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for token in sections["Cause"]:
        if token.type == "inline" and token.level == 3:  # of the outer list
            words, _, rest = token.content.rpartition(" (")
            spans = [c.content for c in token.children if c.type == "code_inline"]
            outer = [c.content for c in token.children if c.type == "text" and c.content.startswith(", in ")]
            found["undecided" not in rest].add(tuple(spans[: -1 if outer else None]))
            assert words
    return verdict, found[True], found[False]


def of_html(text: str) -> Told:
    """From the badge, and the items of the card of the cause; what others named is escaped, so tags are the page's."""
    card = "".join(re.findall("<h2>Cause(.*?)<h2>Case", text))
    found: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for item in re.findall("<li>(.*?)</li>", card):
        names, within, _ = item.partition(", in <code")
        spans = re.findall(r'<code class="name"[^>]*>(.*?)</code>', names)
        found['<span class="pill">undecided</span>' not in item].add(tuple(map(unescape, spans)))
        assert within in ("", ", in <code")
    [verdict] = re.findall('<span class="badge">([a-z]+)</span>', text)
    return verdict, found[True], found[False]


def cut(nodes: tuple[str, ...]) -> tuple[str, ...]:
    """As HTML shows names."""
    return tuple(shortened(plain(n), 120) for n in nodes)


def shown(nodes: tuple[str, ...]) -> tuple[str, ...]:
    """As Markdown shows names."""
    return tuple(shortened(plain(n), 100) if plain(n).strip(" ") else _nothing(n) for n in nodes)


def _nothing(name: str) -> str:
    return "(blank)" if plain(name) else "(empty)"


@settings(max_examples=40, deadline=None)
@given(diagnoses())
def test_verdict_and_culprits_are_the_same_in_all(generated: tuple[Case, Diagnosis]) -> None:
    report = build_report(*generated)
    verdict, proven, undecided = of_report(report)
    assert of_report(json.loads(RENDER["json"](report))) == (verdict, proven, undecided)
    assert of_sarif(RENDER["sarif"](report)) == (verdict, proven, undecided)
    assert of_junit(RENDER["junit"](report)) == (verdict, proven, undecided)
    in_markdown = of_markdown(RENDER["markdown"](report))
    assert in_markdown == (verdict, {shown(c) for c in proven}, {shown(c) for c in undecided})
    in_html = of_html(RENDER["html"](report))
    assert in_html == (verdict, {cut(c) for c in proven}, {cut(c) for c in undecided})
    text = RENDER["text"](report)
    assert text.startswith(f"{verdict.upper()}: ")
    assert f"\ncause: {counted(c for c in report['culprits'] if c['proven'])}\n" in text or not proven
    assert text.count("\nundecided among ") == sum(not c["proven"] for c in report["culprits"])
    assert all(printable(n[:50]) in text for c in (*proven, *undecided) for n in c)


@settings(max_examples=40, deadline=None)
@given(diagnoses())
def test_every_format_can_be_written_and_acts_on_nothing(generated: tuple[Case, Diagnosis]) -> None:
    report = build_report(*generated)
    for name, render in RENDER.items():
        text = render(report)
        text.encode("utf-8")
        if name != "json":
            assert not [c for c in text if not c.isprintable() and c != "\n"], name


@settings(max_examples=40, deadline=None)
@given(diagnoses())
def test_markdown_is_short_and_holds_names_in_code_only(generated: tuple[Case, Diagnosis]) -> None:
    text = RENDER["markdown"](build_report(*generated))
    assert len(text.splitlines()) < 60
    assert len(text) < 65_536  # what an issue takes
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    spans = [child for token in tokens for child in token.children or ()]
    allowed = {"inline", "fence", "heading", "paragraph", "bullet_list", "list_item"}
    assert {re.sub("_(open|close)$", "", t.type) for t in tokens} <= allowed
    assert {s.type for s in spans} <= {"text", "code_inline", "softbreak"}
    outside = "".join(s.content for s in spans if s.type == "text")
    assert not set("@<>#[]`|\\") & set(outside)
