"""What `trtdebug capability` found out, for the terminal, and as data for capability.json."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from trtdebug.core.jsonable import to_data
from trtdebug.core.words import listed
from trtdebug.scripts.words import printable
from trtdebug.stages.capability.case import Examined
from trtdebug.stages.capability.files import LARGEST, SavedModel
from trtdebug.stages.capability.segments import Segment

_WIDTH = 110
_LONGEST = 600  # characters of a reason in the table; capability.json has all of it


def capability_data(examined: Examined) -> dict[str, Any]:
    """The content of capability.json; see docs/capability.md."""
    found, saved = examined.found, examined.saved
    files: list[SavedModel | None] = list(saved.segments) if saved else [None] * len(found.segments)
    inside = set(found.largest.nodes) if found.largest else set()
    largest = None
    if found.largest is not None:
        largest = {
            **_segment(found.largest, saved.largest if saved else None),
            "exact": found.exact,
            "outside": [name for segment in found.segments for name in segment.nodes if name not in inside],
        }
    return {
        "schema": 1,
        "verdict": found.verdict,
        "model": {"path": str(examined.model), "sha256": examined.sha256, "nodes": examined.nodes},
        "backend": {"name": examined.backend, "version": examined.version},
        "errors": to_data(found.errors),
        "segments": [_segment(s, file) for s, file in zip(found.segments, files, strict=True)],
        "largest": largest,
        "folder": str(saved.folder) if saved else None,
        "plans": list(saved.plans) if saved else [],
        "runs": to_data(dict(examined.runs)),
        "questions": found.questions,
        "notes": [*examined.notes, *(saved.notes if saved else ())],
    }


def _segment(segment: Segment, file: SavedModel | None) -> dict[str, Any]:
    return {
        "verdict": segment.verdict,
        "first": segment.first,
        "last": segment.last,
        "contiguous": segment.contiguous,
        "nodes": list(segment.nodes),
        "errors": to_data(segment.errors),
        "file": to_data(file) if file else None,
    }


def render_capability(examined: Examined) -> str:
    """The report in plain text."""
    return "\n".join(printable(line) for line in _lines(examined)) + "\n"


def _lines(examined: Examined) -> Iterator[str]:
    found, saved = examined.found, examined.saved
    parser = f"{examined.backend} {examined.version}".strip()
    if found.verdict == "supported":
        yield f"{examined.model}: {parser} takes the whole model ({examined.nodes} nodes)."
        return
    verb = "refuses" if found.verdict == "unsupported" else "gives no answer on"
    yield f"{examined.model}: {parser} {verb} the model ({examined.nodes} nodes)."
    for error in found.errors:
        yield f"  {error}"
    yield ""
    yield from _table(found.segments)
    if len(found.segments) == 1 and found.segments[0].verdict == "supported":
        yield "All nodes are taken once they are cut out: what is refused lies around them (order, inputs, outputs)."
    if found.largest is not None:
        count = len(found.largest.nodes)
        more = "" if found.exact else " that is known"
        yield f"largest supported subgraph{more}: {count} of {examined.nodes} nodes, {_span(found.largest)}"
        outside = [
            name for segment in found.segments for name in segment.nodes if name not in found.largest.nodes
        ]
        yield f"outside of it: {listed(outside, 8) or 'nothing'}"
    elif found.segments:
        yield "largest supported subgraph: none"
    for note in (*examined.notes, *(saved.notes if saved else ())):
        yield f"note: {note}"
    if saved is not None:
        files = [
            *(["a model for each segment"] if saved.segments else []),
            *([LARGEST] if saved.largest else []),
        ]
        yield f"saved in {saved.folder}: {', '.join([*files, *saved.plans, 'run_plan.py'])}"
    for plan, ran in examined.runs.items():
        how = {True: "the outputs of the whole model", False: "OTHER outputs", None: "not compared"}[ran.same]
        yield f"{plan} on onnxruntime: {how}{f': {ran.detail}' if ran.detail else ''}"


def _table(segments: tuple[Segment, ...]) -> Iterator[str]:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for title in ("segment", "nodes", "count", "verdict", "reason"):
        table.add_column(title, justify="right" if title in ("segment", "count") else "left", overflow="fold")
    for number, segment in enumerate(segments):
        reason = "; ".join(str(error) for error in segment.errors)
        short = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}..."
        table.add_row(
            str(number),
            f"{segment.first}-{segment.last}{'' if segment.contiguous else ' *'}",
            str(len(segment.nodes)),
            segment.verdict,
            printable(short),
        )
    console = Console(file=io.StringIO(), width=_WIDTH, no_color=True, markup=False, highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    yield from (line.rstrip() for line in console.file.getvalue().splitlines())
    if any(not segment.contiguous for segment in segments):
        yield "* other segments have nodes between these"
    yield ""


def _span(segment: Segment) -> str:
    return f"nodes {segment.first}-{segment.last}{'' if segment.contiguous else ', not all of them'}"
