"""Workflow commands: lines on stdout of a step that the runner turns into annotations.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the escapes are those of
packages/core/src/command.ts in actions/toolkit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trtdebug_github.text import Report, at_fault, fix_state, plain, verdict_words

Level = Literal["error", "warning", "notice"]

_MOST = 10
"""Annotations of one level that GitHub shows of a step (docs/problem-matchers.md in actions/toolkit)."""
_VERDICTS: dict[str, Level] = {
    "matches": "notice",
    "fragile": "warning",
    "diverges": "error",
    "untestable": "warning",
}
_FINDINGS: dict[str, Level] = {"error": "error", "warning": "warning", "info": "notice"}


@dataclass(frozen=True)
class Annotation:
    """One annotation; `title` and `message` may hold anything."""

    level: Level
    title: str
    message: str


def render_annotations(report: Report) -> str:
    """A line an annotation: the verdict, causes, the fix, findings; of each level no more than GitHub shows.

    Where the model lies in the repository (below $GITHUB_WORKSPACE) they are attached to its file.
    """
    file = _in_repository(report["model"]["path"])
    return "".join(_command(annotation, file) for annotation in _shown(list(_annotations(report))))


def _annotations(report: Report) -> Iterator[Annotation]:
    verdict = report["verdict"]
    said = report["reason"] or verdict_words(report)
    precision = report["candidate"]["options"]["precision"].upper()
    yield Annotation(_VERDICTS[verdict], f"trtdebug: {verdict} in {precision}", said)
    for culprit in report["culprits"]:
        proven = culprit["proven"]
        title = f"trtdebug: {'cause' if proven else 'undecided among'} {at_fault(culprit)}"
        yield Annotation("error" if proven else "warning", title, culprit["evidence"] or culprit["kind"])
    verified = [fix for fix in report["fixes"] if fix["verified"]]
    if verified:  # the last one is the one to take
        yield Annotation("notice", f"trtdebug: fix, {fix_state(verified[-1])}", verified[-1]["summary"])
    order = list(_FINDINGS)
    for finding in sorted(report["findings"], key=lambda f: order.index(f["severity"])):
        text = " ".join(filter(None, (finding["message"], finding["mitigation"])))
        yield Annotation(_FINDINGS[finding["severity"]], f"trtdebug: {finding['id']}", text)


def _shown(annotations: list[Annotation]) -> Iterator[Annotation]:
    """As many of each level as GitHub shows; the last one then says how many are left."""
    total = Counter(annotation.level for annotation in annotations)
    given: Counter[Level] = Counter()
    for annotation in annotations:
        level = annotation.level
        given[level] += 1
        if total[level] <= _MOST or given[level] < _MOST:
            yield annotation
        elif given[level] == _MOST:
            left = total[level] - _MOST + 1
            yield Annotation(
                level, f"trtdebug: {left} more", f"{left} more of this level stand in report.json."
            )


def _command(annotation: Annotation, file: str) -> str:
    properties = {"title": plain(annotation.title)} | ({"file": file} if file else {})
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{annotation.level} {written}::{_data(plain(annotation.message, 4000))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _in_repository(model: str) -> str:
    """The model's path in the repository that is checked out; empty where it lies elsewhere."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace or not Path(model).is_relative_to(workspace):
        return ""
    return plain(Path(model).relative_to(workspace).as_posix(), 1000)
