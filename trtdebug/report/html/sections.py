"""What follows the first screen in words and tables: outputs, fixes and latency, findings, and how to repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trtdebug.core.told import number_text
from trtdebug.report.html.markup import Markup, join, tag
from trtdebug.report.html.words import command, count, name_of, sentence
from trtdebug.report.strings import backend_text
from trtdebug.report.text import cut_names, fix_state

Report = Mapping[str, Any]

_MOST_OUTPUTS = 200
_BAR = 240
"""Width of the longest bar, pixels."""


def outputs(report: Report) -> Markup | None:
    """Each output of each build that the verdict is made of."""
    rows = report.get("outputs") or []
    if not rows:
        return None
    cut = (
        f"The first {_MOST_OUTPUTS} of {len(rows)}; report.json has all."
        if len(rows) > _MOST_OUTPUTS
        else None
    )
    return section(
        "outputs",
        "Outputs",
        "Every output of the builds that the verdict is made of.",
        table(
            ("Output", "Build", "Sample", "Verdict", "RMS error", "Largest", "NaN or Inf"),
            (_output(o) for o in rows[:_MOST_OUTPUTS]),
        ),
        tag("p", cut, class_="note") if cut else None,
    )


def _output(row: Mapping[str, Any]) -> Sequence[str]:
    return (
        name_of(row["output"]),
        row["build"],
        row["sample"] or "worst of all",
        status(row["status"]),
        number_text(row["rms_rel"]),
        number_text(row["max_abs"]),
        f"{row['nonfinite']:,} of {row['elements']:,}",
    )


def fixes(report: Report) -> Markup | None:
    """All that were tried, and what they cost."""
    found = report["fixes"]
    if not found:
        return None
    measured = next((f["latency_ms"] for f in reversed(found) if f["verified"] and f["latency_ms"]), None)
    note = None if measured else tag("p", "Latency was not measured.", class_="note")
    return section(
        "fixes",
        "Fixes and latency",
        "What was tried, at your own build options.",
        table(
            ("Fix", "State", "Fresh builds", "max |c-r| / max |r| after", "Latency"),
            map(_fix, found, _last(found)),
        ),
        _latency(measured) if measured else note,
    )


def _last(found: Sequence[Any]) -> Iterator[bool]:
    return (fix is found[-1] for fix in found)


def _fix(fix: Mapping[str, Any], is_last: bool) -> Sequence[str]:
    passed, tried = fix["builds_passed"]
    notes = [tag("p", cut_names(words), class_="evidence") for words in (fix["reason"], fix["note"]) if words]
    return (
        join(tag("span", sentence(cut_names(fix["summary"]))), *notes),
        tag("span", fix_state(fix, is_last), class_="pill good" if fix["verified"] else "pill"),
        f"{passed} of {tried} pass",
        number_text(fix["max_rel_after"]) if fix["max_rel_after"] is not None else "not known",
        f"{number_text(fix['latency_ratio'])} times" if fix["latency_ratio"] is not None else "not known",
    )


def _latency(measured: Mapping[str, Any]) -> Markup:
    what = (("natural", "as you build it"), ("fixed", "with the fix"), ("fp32", "in FP32"))
    longest = max((measured[key] for key, _ in what if measured[key] is not None), default=1.0) or 1.0
    return tag(
        "figure",
        tag("figcaption", "Median time of one inference, measured in turns"),
        tag("dl", *(_bar(words, measured[key], longest, key) for key, words in what), class_="bars"),
    )


def _bar(words: str, milliseconds: float | None, longest: float, key: str) -> Markup:
    if milliseconds is None:
        return tag("div", tag("dt", words), tag("dd", "not known"))
    width = f"{_BAR * milliseconds / longest:.1f}"
    bar = tag(
        "svg",
        tag("rect", width=width, height="14", rx="2"),
        width=str(_BAR),
        height="14",
        aria_hidden="true",
        class_=f"bar {key}",
    )
    return tag("div", tag("dt", words), tag("dd", bar, f"{number_text(milliseconds)} ms"))


def findings(report: Report) -> Markup | None:
    """All, the gravest first."""
    order = ("error", "warning", "info")
    found = sorted(report["findings"], key=lambda f: order.index(f["severity"]))
    if not found:
        return None
    return section("findings", "Findings", None, tag("ul", *map(_finding, found), class_="findings"))


def _finding(finding: Mapping[str, Any]) -> Markup:
    node = finding["node"]
    return tag(
        "li",
        tag("span", finding["severity"], class_=f"pill {finding['severity']}"),
        tag(
            "div",
            tag("p", tag("b", finding["id"]), join(" at ", name_of(node)) if node else None),
            tag("p", cut_names(finding["message"])),
            tag("p", cut_names(finding["mitigation"]), class_="mitigation")
            if finding["mitigation"]
            else None,
        ),
    )


def unknown(report: Report) -> Markup | None:
    """What could not be decided."""
    if not report["unknown"]:
        return None
    lines = tag("ul", *(tag("li", cut_names(line)) for line in report["unknown"]))
    return section("unknown", "Not known", "What this session could not decide.", lines)


def repeat(report: Report) -> Markup:
    """The command, the versions and where the time went."""
    words = report["command"]
    tool = report.get("tool") or {}
    candidate, reference, model = report["candidate"], report["reference"], report["model"]
    device = f" on {candidate['device']}" if candidate["device"] else ""
    versions = [
        ("trtdebug", tool.get("version") or "not known"),
        ("candidate", f"{backend_text(candidate)}{device}"),
        ("reference", backend_text(reference)),
        *(("extension", f"{e['name']} {e['version']}") for e in tool.get("extensions") or []),
        ("model", model["path"]),
        ("SHA-256", model["sha256"]),
    ]
    trials = report["trials"]
    work = (
        f"In all {count(trials['total'], 'trial')}: {trials['builds']} built, {trials['cached']} from the cache, "
        f"{trials['untestable']} untestable."
    )
    stages = [(s["name"], f"{s['seconds']:.2f} s", str(s["trials"])) for s in report["stages"]]
    return section(
        "repeat",
        "Repeat it",
        None,
        command(words) if words else tag("p", "The command line was not recorded.", class_="note"),
        tag(
            "dl",
            *(tag("div", tag("dt", k), tag("dd", tag("code", v))) for k, v in versions),
            class_="versions",
        ),
        table(("Stage", "Time", "Trials"), stages) if stages else None,
        tag("p", work, class_="note"),
    )


def section(name: str, title: str, words: str | None, *content: Markup | None) -> Markup:
    """A part of the page, with its heading."""
    lead = tag("p", words, class_="lead") if words else None
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        lead,
        *content,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Markup:
    """A table that scrolls by itself where it is too wide."""
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))),
            tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=", ".join(head[:3]),
    )


def status(word: str) -> Markup:
    """pass, fail or untestable."""
    return tag("span", word, class_=f"pill {word}")
