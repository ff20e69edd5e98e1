"""`trtdebug autocast`: the pins of a session, ours and AutoCast's, node by node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from trtdebug.core.errors import UserError
from trtdebug_modelopt.fix import NAME

_ROOT = Path(".trtdebug")
_YES, _NO = "FP32", "-"


@dataclass(frozen=True)
class Pins:
    """A set of pins that a session tried.

    Attributes:
        state: "verified", "does not hold", "could not be tested".
        latency_ms: median of one inference with them; None = not known.
    """

    summary: str
    nodes: tuple[str, ...]
    state: str
    builds_passed: tuple[int, int]
    reason: str
    latency_ms: float | None


def autocast(
    session: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Argument(metavar="[DIR]", help="Session folder. Default: the newest.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Our pins and AutoCast's side by side, and whether they hold.

    It shows what a session of `run` or `fix` tried, and runs nothing.
    """
    folder = session or _newest()
    report = _report(folder)
    ours, theirs = _chosen(report, ""), _chosen(report, NAME)
    if theirs is None:
        raise UserError(
            f"the session {folder} has nothing of {NAME}.",
            f"`trtdebug resume {folder}` tries it; only FP16 and BF16 cases that fail need fixes.",
        )
    if as_json:
        typer.echo(json.dumps({"ours": ours and asdict(ours), "autocast": asdict(theirs)}, indent=2))
        return
    for line in table(ours, theirs):
        typer.echo(line)


def table(ours: Pins | None, theirs: Pins) -> list[str]:
    """The lines: what became of either set, then a row for each node that one of them pins."""
    mine = ours.nodes if ours is not None else ()
    both = [n for n in mine if n in theirs.nodes]
    only_ours = [n for n in mine if n not in theirs.nodes]
    only_theirs = [n for n in theirs.nodes if n not in mine]
    lines = [_told("ours", ours), _told(NAME, theirs)]
    lines.append(f"{len(both)} in both, {len(only_ours)} only ours, {len(only_theirs)} only {NAME}'s")
    width = max(len(n) for n in ("node", *mine, *theirs.nodes))
    if mine or theirs.nodes:
        lines += ["", f"{'node':{width}}  ours  {NAME}"]
    for names, we, they in ((both, _YES, _YES), (only_ours, _YES, _NO), (only_theirs, _NO, _YES)):
        lines += [f"{name:{width}}  {we:4}  {they}" for name in names]
    return lines


def _told(whose: str, pins: Pins | None) -> str:
    if pins is None:
        return f"{whose:8}  no pins"
    passed, tried = pins.builds_passed
    told = f"{whose:8}  {len(pins.nodes)} pins, {pins.state}"
    told += f" ({passed} of {tried} builds)" if tried else ""
    told += f", {pins.latency_ms:.3g} ms" if pins.latency_ms is not None else ""
    return told + (f": {pins.reason}" if pins.reason else "")


def _chosen(report: Mapping[str, Any], beside: str) -> Pins | None:
    """Of the sets of pins of one side the last: it holds, where any does."""
    found = [
        _pins(fix) for fix in report["fixes"] if fix["kind"] == "pin" and fix.get("beside", "") == beside
    ]
    return found[-1] if found else None


def _pins(fix: Mapping[str, Any]) -> Pins:
    nodes = tuple(n for i in fix["interventions"] for n in i.get("nodes", ()))
    untested = "could not be tested" if fix["untestable"] else "does not hold"
    latency = fix["latency_ms"]["fixed"] if fix["latency_ms"] else None
    passed, tried = fix["builds_passed"]
    state = "verified" if fix["verified"] else untested
    return Pins(fix["summary"], nodes, state, (passed, tried), fix["reason"], latency)


def _newest() -> Path:
    sessions = sorted(path.parent for path in _ROOT.glob("*/report.json"))
    if not sessions:
        raise UserError(
            "there is no finished session in .trtdebug.", "Name a folder, or `trtdebug run` first."
        )
    return sessions[-1]


def _report(folder: Path) -> Mapping[str, Any]:
    path = folder / "report.json"
    try:
        report: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.", "Name the folder of a finished session."
        ) from None
    return report
