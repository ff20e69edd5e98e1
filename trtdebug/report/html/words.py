"""The first screen: verdict, cause, fix and repro, in words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trtdebug.report.html.markup import Markup, join, tag
from trtdebug.report.strings import VERDICTS, plain, shortened
from trtdebug.report.text import cut_names, fix_state, trtexec_command

Report = Mapping[str, Any]

_MOST = 4
"""Culprits in the first screen; the others can be unfolded."""
_LONGEST_NAME, _LONGEST_TITLE = 120, 600  # characters

_CAUSES = {
    "precision": "{nodes} go wrong in {precision}",
    "tactic": "a tactic goes wrong at {nodes}",
    "fusion": "{nodes} go wrong where they are fused",
    "build": "{nodes} cannot be built",
    "unknown": "{nodes} go wrong",
}


def first_screen(report: Report) -> Markup:
    """What a reader has to know, and nothing else."""
    return tag(
        "section",
        tag(
            "div",
            tag("p", *_eyebrow(report), class_="eyebrow"),
            tag("h1", sentence(VERDICTS[report["verdict"]])),
            tag("p", cut_names(report["reason"]), class_="reason") if report["reason"] else None,
            class_="verdict-words",
        ),
        tag("div", _cause(report), _fix(report), _repro(report), class_="cards"),
        _facts(report),
        id="verdict",
        class_=report["verdict"],
    )


def sentence(words: str) -> str:
    """With a capital, and without a full stop."""
    return words[:1].upper() + words[1:]


def number(value: float | str) -> str:
    """Three digits; what is not finite is a word in reports."""
    return value if isinstance(value, str) else f"{value:.3g}"


def count(items: int, one: str) -> str:
    """ "1 node", "2 nodes"."""
    return f"{items:,} {one}{'' if items == 1 else 's'}"


def base_name(path: str) -> str:
    return re.split(r"[/\\]", path)[-1] or path


def command(words: str) -> Markup:
    """A line to be copied; it breaks between words rather than at their hyphens."""
    parts = [part for word in words.split(" ") for part in (Markup(" "), tag("span", word))][1:]
    return tag("div", tag("code", *parts, tabindex="0"), class_="command")


def backend(used: Mapping[str, Any]) -> str:
    return f"{used['backend']} {used['version']}".rstrip()


def _eyebrow(report: Report) -> Iterator[Markup]:
    flaky = report["flaky"]
    yield tag("span", report["verdict"], class_="badge")
    yield tag("b", shortened(base_name(report["model"]["path"]), _LONGEST_NAME))
    yield tag("span", report["candidate"]["options"]["precision"].upper())
    if flaky["builds"]:
        yield tag("span", f"{flaky['failed']} of {count(flaky['builds'], 'build')} wrong")
    else:
        yield tag("span", "not built as you build it")


def _cause(report: Report) -> Markup:
    culprits = sorted(report["culprits"], key=lambda c: not c["proven"])
    shown = [_culprit(c, is_first=c is culprits[0]) for c in culprits]
    more = len(shown) - _MOST
    why = [tag("p", cut_names(f["message"]), class_="why") for f in _explaining(report)]
    rest = tag("details", tag("summary", f"{more} more"), tag("ul", *shown[_MOST:])) if more > 0 else None
    return _card("Cause", _headline(report), *why, tag("ul", *shown[:_MOST]) if shown else None, rest)


def _headline(report: Report) -> str:
    proven = [c for c in report["culprits"] if c["proven"]]
    undecided = [c for c in report["culprits"] if not c["proven"]]
    if proven:
        nodes = count(sum(len(c["nodes"]) for c in proven), "node")
        words = _CAUSES[proven[0]["kind"]].format(
            nodes=nodes, precision=report["candidate"]["options"]["precision"].upper()
        )
        return sentence(words if nodes != "1 node" else words.replace(" go ", " goes ").replace("are", "is"))
    if undecided:
        return f"Somewhere among {count(sum(len(c['nodes']) for c in undecided), 'node')}"
    return {"matches": "Nothing is wrong", "untestable": "Not known"}.get(report["verdict"], "None was found")


def _explaining(report: Report) -> list[Mapping[str, Any]]:
    """Findings that say why the culprits go wrong: errors that name one of them; at most two."""
    names = {n for c in report["culprits"] for n in c["nodes"]}
    return [f for f in report["findings"] if f["severity"] == "error" and f["node"] in names][:2]


def _culprit(culprit: Mapping[str, Any], is_first: bool) -> Markup:
    """Of the first one all that is known, of the others the gist: they mostly say the same."""
    evidence = culprit["evidence"] if is_first else culprit["evidence"].partition(";")[0]
    names = [name_of(n) for n in culprit["nodes"][:_MOST]]
    more = len(culprit["nodes"]) - _MOST
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
        words = f"None of {len(fixes)} tried holds" if fixes else "None was tried"
        if report["verdict"] == "matches":
            words = "None is needed"
        return _card("Fix", words)
    fix = verified[-1]
    passed, tried = fix["builds_passed"]
    detail = [f"{passed} of {count(tried, 'fresh build')} pass"]
    if fix["max_rel_after"] is not None:
        detail.append(f"largest error then {number(fix['max_rel_after'])} of the scale")
    if fix["latency_ratio"] is not None:
        detail.append(f"{number(fix['latency_ratio'])} times the latency")
    how = trtexec_command(fix["interventions"], report["candidate"])
    folder = report.get("fix_folder")
    return _card(
        "Fix",
        sentence(cut_names(fix["summary"])),
        tag("p", tag("span", fix_state(fix, fix is fixes[-1]), class_="pill good"), ", ".join(detail)),
        command(how) if how else None,
        tag("p", "For production: ", tag("code", folder)) if folder else None,
    )


def _repro(report: Report) -> Markup:
    repro = report["repro"]
    if repro is None:
        return _card("Repro", "None" if report["verdict"] != "matches" else "None is needed")
    state = "passes in a fresh process" if repro.get("passes") else "fails in a fresh process"
    verified = tag("p", tag("span", "verified", class_="pill good"), state)
    return _card(
        "Repro",
        f"{sentence(count(repro['nodes'], 'node'))}, without trtdebug",
        verified if repro["verified"] else tag("p", tag("span", "not verified", class_="pill")),
        command(shlex.join(["python", f"{repro['path']}/repro.py"])),
        tag("p", cut_names(repro["note"]), class_="evidence") if repro["note"] else None,
    )


def _card(title: str, headline: str, *content: Markup | None) -> Markup:
    return tag("div", tag("h2", title), tag("p", headline, class_="headline"), *content, class_="card")


def _facts(report: Report) -> Markup:
    model, candidate, trials = report["model"], report["candidate"], report["trials"]
    device = f" on {candidate['device']}" if candidate["device"] else ""
    facts: Sequence[tuple[str, str]] = (
        ("Model", f"{shortened(base_name(model['path']), _LONGEST_NAME)}, {count(model['nodes'], 'node')}"),
        ("Candidate", f"{backend(candidate)}{device}"),
        ("Reference", backend(report["reference"])),
        ("Rule", cut_names(report["rule"])),
        ("Inputs", count(report["samples"], "sample")),
        ("Work", f"{count(trials['total'], 'trial')}, {trials['builds']} built in {trials['seconds']:.1f} s"),
    )
    return tag("dl", *(tag("div", tag("dt", k), tag("dd", v)) for k, v in facts), class_="facts")
