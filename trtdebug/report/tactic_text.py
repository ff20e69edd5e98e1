"""Autotuning tables for people: what each op could be computed by, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, AutotuningLog, Candidate
from trtdebug.backends.tensorrt.tactics import tactic_name
from trtdebug.scripts.words import printable

_MOST_ROWS = 8
_REFORMAT = "Optimizer Reformat("


def render_tables(log: AutotuningLog) -> str:
    """Every op with its tactics, the cheapest first, as they are written in a ban; the chosen one has a star.

    Reformats, formats without a tactic and what was not timed anew are counted only.
    """
    return "\n".join(printable(line) for line in _lines(log)) + "\n"


def _lines(log: AutotuningLog) -> Iterator[str]:
    reformats = [op for op in log.ops if op.name.startswith(_REFORMAT)]
    reused = [op for op in log.ops if op not in reformats and not _was_timed(op)]
    without = [op for op in log.ops if _has_none(op)]
    shown = [op for op in log.ops if op not in reformats and op not in reused and op not in without]
    tactics = sum(len(op.candidates) for op in shown)
    yield (
        f"{len(shown)} autotuned, {tactics} tactics; {len(reformats)} reformats, {len(reused)} not timed anew, "
        f"{len(without)} without a tactic"
    )
    for op in shown:
        yield from _op(op)
    yield from (f"fits no op: {line}" for line in log.unread)


def _was_timed(op: AutotunedOp) -> bool:
    return len(op.candidates) > 1 or op.key is not None or not op.unknown


def _has_none(op: AutotunedOp) -> bool:
    return bool(op.formats) and not op.candidates and op.selected is None and not op.unknown


def _op(op: AutotunedOp) -> Iterator[str]:
    yield op.name + (f" [{op.formats}]" if op.formats else "")
    if op.nodes:
        yield f"  nodes {', '.join(op.nodes)}"
    if op.key is not None:
        yield f"  key {op.key}"
    if len(op.candidates) <= 1:
        yield "  no choice: only this implementation" if op.candidates else "  no choice that the log tells"
    yield from (f"  unknown: {told}" for told in op.unknown)
    rows = sorted(op.candidates, key=lambda c: float("inf") if c.cost_ms is None else c.cost_ms)
    first = [c for place, c in enumerate(rows) if place < _MOST_ROWS or _is_chosen(op, c)]
    yield from (_row(op, one, rows) for one in first)
    if len(first) < len(rows):
        yield f"    and {len(rows) - len(first)} more (--json lists them)"


def _is_chosen(op: AutotunedOp, one: Candidate) -> bool:
    return one.tactic == op.selected and one.runner == op.runner


def _row(op: AutotunedOp, one: Candidate, rows: Sequence[Candidate]) -> str:
    fastest = rows[0].cost_ms
    cost = "not usable" if one.cost_ms is None else f"{one.cost_ms:10.6f} ms"
    times = f"{one.cost_ms / fastest:7.2f}x" if one.cost_ms is not None and fastest else " " * 8
    star = "*" if _is_chosen(op, one) else " "
    written = (
        tactic_name(one.implementation, int(one.tactic, 16)) if one.implementation is not None else one.tactic
    )
    return f"  {star} {cost:>13} {times}  {written}  {one.kernel or one.runner}".rstrip()
