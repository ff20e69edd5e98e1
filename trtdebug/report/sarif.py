"""SARIF 2.1.0: the verdict, the culprits and the findings, for code scanning and editors."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from trtdebug.core.words import listed
from trtdebug.report.blamed import blamed
from trtdebug.report.build import exit_code
from trtdebug.report.strings import plain
from trtdebug.report.verdict_words import verdict_words

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_VERDICT = "verdict"
# SARIF's kind and level of the verdict; a level other than "none" is for failures only.
_VERDICTS = {
    "matches": ("pass", "none"),
    "fragile": ("fail", "warning"),
    "diverges": ("fail", "error"),
    "untestable": ("open", "none"),
}
_CULPRITS = {
    "precision": "Nodes that make the model fail in low precision.",
    "tactic": "A kernel that TensorRT chose gives wrong results.",
    "fusion": "Fused nodes give wrong results.",
    "build": "Nodes that the parser or the builder does not take.",
    "unknown": "Nodes where the candidate goes wrong.",
}

Report = Mapping[str, Any]
Json = dict[str, Any]


def render_sarif(report: Report) -> str:
    """A SARIF log with one run, in ASCII.

    Its results are the verdict (rule `verdict`), then the culprits (`culprit-KIND`), then the findings. Names stand as
    they are in `fullyQualifiedName` and `properties`; in messages control characters and what SARIF takes for a
    link or a placeholder are escaped.
    """
    results = [_verdict(report), *_culprits(report), *_findings(report)]
    rules = {result["ruleId"]: _rule(result["ruleId"]) for result in results}
    index = {rule: number for number, rule in enumerate(rules)}
    _fingerprint(results)
    for result in results:
        result["ruleIndex"] = index[result["ruleId"]]
    run = {
        "tool": _tool(report, list(rules.values())),
        "invocations": [_invocation(report)],
        "artifacts": [_artifact(report["model"])],
        "results": results,
        "properties": _numbers(report),
    }
    return (
        json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"
    )


def _tool(report: Report, rules: list[Json]) -> Json:
    told = report.get("tool") or {}
    driver: Json = {"name": "trtdebug", "rules": rules}
    if told.get("version"):
        driver["version"] = told["version"]
    extensions = {(e["name"], e["version"]): None for e in told.get("extensions", ())}
    tool: Json = {"driver": driver}
    if extensions:
        tool["extensions"] = [{"name": name, "version": version} for name, version in extensions]
    return tool


def _rule(rule: str) -> Json:
    """Of a finding's rule nothing is known but its id, which is words with hyphens."""
    known = {_VERDICT: "Whether the candidate agrees with the reference."}
    known |= {f"culprit-{kind}": words for kind, words in _CULPRITS.items()}
    text = known.get(rule, f"Finding: {rule.replace('-', ' ')}.")
    return {"id": rule, "shortDescription": _message(text)}


def _invocation(report: Report) -> Json:
    code = exit_code(report["verdict"])
    return {
        # It ended as it should: a model that fails is a result of the run, no failure of it.
        "executionSuccessful": True,
        "exitCode": code,
        "exitCodeDescription": report["verdict"],
        **({"commandLine": plain(report["command"])} if report["command"] else {}),
        "toolExecutionNotifications": [
            {"level": "note", "message": _message(f"not known: {line}")} for line in report["unknown"]
        ],
    }


def _artifact(model: Report) -> Json:
    return {
        "location": {"uri": _uri(model["path"])},
        "roles": ["analysisTarget"],
        "mimeType": "application/onnx",
        "hashes": {"sha-256": model["sha256"]},
        "properties": {"nodes": model["nodes"]},
    }


def _uri(path: str) -> str:
    slashes = path.replace("\\", "/") if path[1:3] == ":\\" else path
    root = "file://" if slashes.startswith("/") else "file:///" if slashes != path else ""
    return root + quote(slashes.encode("utf-8", "surrogatepass"), safe="/:" if root == "file:///" else "/")


def _verdict(report: Report) -> Json:
    kind, level = _VERDICTS[report["verdict"]]
    divergence = report.get("first_divergence")
    places = [(divergence["tensor"], "tensor")] if divergence else []
    words = verdict_words(report)
    text = f"{words[:1].upper()}{words[1:]}. {report['reason']}".strip()
    properties = {"verdict": report["verdict"], "first_divergence": divergence}
    return _result(_VERDICT, level, text, places, properties, report, kind)


def _culprits(report: Report) -> Iterator[Json]:
    for culprit in report["culprits"]:
        inside = culprit.get("inside") or []
        names, kind = blamed(culprit), "tensor" if culprit.get("tensors") else "node"
        text = f"{listed(names, 8)}: {culprit['evidence']}"
        properties = {
            "kind": culprit["kind"],
            "proven": culprit["proven"],
            "nodes": culprit["nodes"],
            "inside": inside,
            "tensors": culprit.get("tensors") or [],
        }
        yield _result(
            f"culprit-{culprit['kind']}",
            "error" if culprit["proven"] else "warning",
            text if culprit["proven"] else f"undecided among {text}",
            [("::".join((*inside, name)), kind) for name in names],
            properties,
            report,
        )


def _findings(report: Report) -> Iterator[Json]:
    kinds = _kinds(report)
    for finding in report["findings"]:
        node = finding["node"]
        text = f"{finding['message'].rstrip('.')}. {finding['mitigation']}".rstrip()
        places = [(node, kinds.get(node, "node or tensor"))] if node else []
        properties = {"severity": finding["severity"]}
        yield _result(finding["id"], _LEVELS[finding["severity"]], text, places, properties, report)


def _kinds(report: Report) -> dict[str, str]:
    """What is known to be a node or a tensor; a finding does not say which of them it is about."""
    divergence = report.get("first_divergence") or {}
    nodes = {n for c in report["culprits"] for n in c["nodes"]} | {divergence.get("node")}
    tensors = {o["output"] for o in report.get("outputs", ())} | {divergence.get("tensor")}
    tensors |= {t for c in report["culprits"] for t in c.get("tensors") or ()}
    tensors |= set((report.get("signature") or {}).get("outputs", ()))
    both = nodes & tensors
    return {
        name: kind for names, kind in ((nodes, "node"), (tensors, "tensor")) for name in names - both if name
    }


def _result(
    rule: str,
    level: str,
    text: str,
    places: Sequence[tuple[str, str]],
    properties: Json,
    report: Report,
    kind: str = "fail",
) -> Json:
    location: Json = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(report["model"]["path"]), "index": 0}},
    }
    if places:
        unique = dict.fromkeys(places)
        location["logicalLocations"] = [{"fullyQualifiedName": n, "kind": k} for n, k in unique]
    return {
        "ruleId": rule,
        "kind": kind,
        "level": level,
        "message": _message(text),
        "locations": [location],
        "properties": properties,
    }


def _fingerprint(results: Iterable[Json]) -> None:
    """Of rule and names only, so that it is the same in other runs, builds and exports; the n-th of equal ones."""
    seen: Counter[str] = Counter()
    for result in results:
        places = result["locations"][0].get("logicalLocations", ())
        # Which tensor diverges first may change from build to build: the verdict stays one alert.
        names = sorted(p["fullyQualifiedName"] for p in places) if result["ruleId"] != _VERDICT else []
        key = hashlib.sha256(json.dumps([result["ruleId"], names]).encode()).hexdigest()
        seen[key] += 1
        result["partialFingerprints"] = {"ruleAndNames/v1": f"{key}:{seen[key]}"}


def _numbers(report: Report) -> Json:
    keys = (
        "verdict",
        "signature",
        "rule",
        "reference",
        "candidate",
        "samples",
        "flaky",
        "fixes",
        "trials",
        "stages",
    )
    return {key: report.get(key) for key in keys}


def _message(text: str) -> Json:
    """SARIF takes braces for placeholders unless they are doubled, and [text](target) for a link."""
    braced = plain(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")
    return {"text": braced or "-"}
