"""The first screen: verdict, cause, fix and repro, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trtdebug.core.told import number_text
from trtdebug.report.blamed import blamed
from trtdebug.report.html.markup import Markup, join, tag
from trtdebug.report.html.values import Values
from trtdebug.report.no_cause import no_cause, no_repro
from trtdebug.report.strings import backend_text, base_name, fix_numbers, plain, repro_command, shortened
from trtdebug.report.text import cut_names, fix_state, trtexec_command
from trtdebug.report.verdict_words import verdict_words

Report = Mapping[str, Any]

_MOST = 4
"""Culprits in the first screen; the others can be unfolded."""
_LONGEST_NAME, _LONGEST_TITLE = 120, 600  # characters

FP16_MAX = 65504

_CAUSES = {
    "precision": "{nodes} go wrong in {precision}",
    "tactic": "a tactic goes wrong at {nodes}",
    "fusion": "{nodes} go wrong where they are fused",
    "build": "{nodes} cannot be built",
    "unknown": "{nodes} go wrong",
}


def first_screen(report: Report, values: Sequence[Values] = ()) -> Markup:
    """What a reader has to know, and nothing else.

    Args:
        values: of the tensors around the cause, as far as they were counted.
    """
    return tag(
        "section",
        tag(
            "div",
            tag("p", *_eyebrow(report), class_="eyebrow"),
            tag("h1", sentence(_verdict(report))),
            tag("p", cut_names(report["reason"]), class_="reason") if report["reason"] else None,
            class_="verdict-words",
        ),
        tag(
            "div",
            tag("div", _cause(report, values), _case(report), class_="column"),
            tag("div", _fix(report), _repro(report), class_="column"),
            class_="cards",
        )
        if report["verdict"] != "matches"
        else tag("div", _agreement(report), _case(report), class_="cards"),
        id="verdict",
        class_=report["verdict"],
    )


def sentence(words: str) -> str:
    """With a capital, and without a full stop."""
    return words[:1].upper() + words[1:]


def count(items: int, one: str) -> str:
    """ "1 node", "2 nodes"."""
    return f"{items:,} {one}{'' if items == 1 else 's'}"


def command(words: str) -> Markup:
    """A line to be copied; it breaks between words rather than at their hyphens."""
    parts = [part for word in words.split(" ") for part in (Markup(" "), tag("span", word))][1:]
    return tag("div", tag("code", *parts, tabindex="0"), class_="command")


def _verdict(report: Report) -> str:
    if report["verdict"] == "untestable" and (report["signature"] or {}).get("kind") == "build-failure":
        return "the candidate cannot build this model"
    return verdict_words(report)


def _eyebrow(report: Report) -> Iterator[Markup]:
    flaky = report["flaky"]
    yield tag("span", report["verdict"], class_="badge")
    yield tag("b", shortened(base_name(report["model"]["path"]), _LONGEST_NAME))
    yield tag("span", report["candidate"]["options"]["precision"].upper())
    if report["verdict"] == "untestable" or 0 < flaky["builds"] == flaky.get("untested"):
        yield tag("span", f"{count(flaky['builds'], 'build')} tried")
    elif flaky["builds"]:
        yield tag("span", f"{flaky['failed']} of {count(flaky['builds'], 'build')} wrong")
    else:
        yield tag("span", "not built as you build it")


def _cause(report: Report, values: Sequence[Values]) -> Markup:
    culprits = sorted(report["culprits"], key=lambda c: not c["proven"])
    shown = [_culprit(c, is_first=c is culprits[0]) for c in culprits]
    more = len(shown) - _MOST
    why = [tag("p", cut_names(words), class_="why") for words in _why(report, values)]
    rest = tag("details", tag("summary", f"{more} more"), tag("ul", *shown[_MOST:])) if more > 0 else None
    return _card("Cause", _headline(report), *why, tag("ul", *shown[:_MOST]) if shown else None, rest)


def _headline(report: Report) -> str:
    proven = [c for c in report["culprits"] if c["proven"]]
    undecided = [c for c in report["culprits"] if not c["proven"]]
    marks = {t for c in report["culprits"] for t in c.get("tensors") or ()}
    if marks:  # of the nodes that write them nothing is known
        return (
            f"These {len(marks)} marks together do not build"
            if len(marks) > 1
            else "This mark does not build"
        )
    if proven:
        nodes = count(sum(len(c["nodes"]) for c in proven), "node")
        words = _CAUSES[proven[0]["kind"]].format(
            nodes=nodes, precision=report["candidate"]["options"]["precision"].upper()
        )
        return sentence(words if nodes != "1 node" else words.replace(" go ", " goes ").replace("are", "is"))
    if undecided:
        return f"Somewhere among {count(sum(len(c['nodes']) for c in undecided), 'node')}"
    if words := no_cause(report, lambda name: shortened(plain(name), _LONGEST_NAME)):
        return sentence(words)
    return "Not known" if report["verdict"] == "untestable" else "None was found"


def _why(report: Report, values: Sequence[Values]) -> list[str]:
    """What the checks found at the culprits, two errors at most; else how far the first one's values leave FP16."""
    names = {n for c in report["culprits"] for n in c["nodes"]}
    found = [f["message"] for f in report["findings"] if f["severity"] == "error" and f["node"] in names]
    tensor = (report["first_divergence"] or {}).get("tensor")
    counted = next((v.reference for v in values if v.tensor == tensor), None)
    if found or not names or counted is None or report["candidate"]["options"]["precision"] != "fp16":
        return found[:2]
    reach = max(abs(counted.lowest or 0.0), abs(counted.highest or 0.0))
    return (
        [f"Values of {tensor} reach {number_text(reach)}; FP16 ends at {FP16_MAX}."]
        if reach > FP16_MAX
        else []
    )


def _culprit(culprit: Mapping[str, Any], is_first: bool) -> Markup:
    """Of the first one all that is known, of the others the gist: they mostly say the same."""
    evidence = culprit["evidence"] if is_first else culprit["evidence"].partition(";")[0]
    at_fault = blamed(culprit)
    names = [name_of(n) for n in at_fault[:_MOST]]
    more = len(at_fault) - _MOST
    parts = [part for name in names for part in (Markup(" + "), name)][1:]
    inside = culprit.get("inside") or []
    return tag(
        "li",
        join(*parts, f" and {more} more" if more > 0 else None),
        join(", in ", name_of(inside[0])) if inside else None,
        None if culprit["proven"] else tag("span", "undecided", class_="pill"),
        tag("p", cut_names(evidence), class_="evidence") if evidence else None,
    )


def name_of(name: str) -> Markup:
    """A node's or a tensor's name, which the script makes a way into the graph; cut in the middle where it is long."""
    name = plain(name)
    is_long = len(name) > _LONGEST_NAME
    return tag(
        "code",
        shortened(name, _LONGEST_NAME),
        class_="name",
        title=shortened(name, _LONGEST_TITLE) if is_long else None,
        data_name=name if is_long else None,
    )


def _fix(report: Report) -> Markup:
    fixes = report["fixes"]
    verified = [f for f in fixes if f["verified"]]
    if not verified:
        return _card("Fix", f"None of {len(fixes)} tried holds" if fixes else "None was tried")
    fix = verified[-1]
    passed, tried = fix["builds_passed"]
    detail = [f"{passed} of {count(tried, 'fresh build')} {'passes' if tried == 1 else 'pass'}"]
    detail += fix_numbers(fix)
    how = trtexec_command(fix, report["candidate"])
    folder = report.get("fix_folder")
    return _card(
        "Fix",
        sentence(_without_names(fix["summary"])),
        tag("p", tag("span", fix_state(fix, fix is fixes[-1]), class_="pill good"), ", ".join(detail)),
        command(how) if how else None,
        tag("p", "For production: ", tag("code", folder)) if folder else None,
    )


def _repro(report: Report) -> Markup:
    repro = report["repro"]
    if repro is None:
        why = no_repro(report)
        return _card("Repro", "None", tag("p", sentence(why.removeprefix("no repro: "))) if why else None)
    state = "passes in a fresh process" if repro.get("passes") else "fails in a fresh process"
    verified = tag("p", tag("span", "verified", class_="pill good"), state)
    return _card(
        "Repro",
        sentence(count(repro["nodes"], "node"))
        + (", without trtdebug" if repro.get("standalone", True) else ""),
        verified if repro["verified"] else tag("p", tag("span", "not verified", class_="pill")),
        command(repro_command(repro)),
        tag("p", cut_names(repro["note"]), class_="evidence") if repro["note"] else None,
    )


def _without_names(summary: str) -> str:
    """ "pin 4 nodes to FP32: a, b, c, d" without the names, where these are long; they stand in the command."""
    return cut_names(summary) if len(summary) <= _LONGEST_NAME else cut_names(summary.partition(": ")[0])


def _agreement(report: Report) -> Markup:
    """Of a match: how far the outputs are from being wrong."""
    errors = [
        o for o in report.get("outputs") or [] if o["status"] == "pass" and isinstance(o["rms_rel"], float)
    ]
    if not errors:
        return _card("Outputs", "All agree")
    worst = max(errors, key=lambda o: o["rms_rel"])
    return _card(
        "Outputs",
        "All agree",
        tag(
            "p",
            "Largest relative RMS error: ",
            tag("b", number_text(worst["rms_rel"])),
            ", of ",
            name_of(worst["output"]),
        ),
        tag("p", f"{worst['build']}; rule: {cut_names(worst['rule'] or report['rule'])}", class_="evidence"),
    )


def _card(title: str, headline: str, *content: Markup | None) -> Markup:
    return tag("div", tag("h2", title), tag("p", headline, class_="headline"), *content, class_="card")


def _case(report: Report) -> Markup:
    """What was debugged, and how much work it was."""
    model, candidate, trials = report["model"], report["candidate"], report["trials"]
    device = f" on {candidate['device']}" if candidate["device"] else ""
    facts: Sequence[tuple[str, str]] = (
        ("Model", f"{shortened(base_name(model['path']), _LONGEST_NAME)}, {count(model['nodes'], 'node')}"),
        ("Inputs", count(report["samples"], "sample")),
        ("Candidate", f"{backend_text(candidate)}{device}"),
        ("Reference", backend_text(report["reference"])),
        ("Rule", cut_names(report["rule"])),
        ("Work", f"{count(trials['total'], 'trial')}, {trials['builds']} built in {trials['seconds']:.1f} s"),
    )
    rows = (tag("div", tag("dt", name), tag("dd", words)) for name, words in facts)
    return tag("div", tag("h2", "Case"), tag("dl", *rows, class_="facts"), class_="card case")
