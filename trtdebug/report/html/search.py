"""The search as it went: each trial with what was asked, as a strip over the graph, and its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trtdebug.report.html.trials import Trial

STRIP = 160
"""Cells of a strip, at most."""
_MOST_PINS = 40
_REFERENCE_WORDS = ("reference with ",)
"""Runs of the reference that ask something of the candidate's values, by their purpose."""


@dataclass(frozen=True)
class Step:
    """One trial.

    Attributes:
        pinned: number of nodes that were kept in another precision than the rest; None where none was pinned.
        strip: over the nodes in topological order, cell by cell, how many tenths of them were pinned ("0" to "9",
            and "x" for all); empty where none was.
        pins: places of the pinned nodes, or of the others where these are fewer; empty where both are many.
        left: `pins` are those that were not pinned.
        changes: the other interventions, in words.
    """

    stage: str
    purpose: str
    status: str
    reason: str
    seconds: float
    time: str
    trial: str
    pinned: int | None
    strip: str
    pins: tuple[int, ...]
    left: bool
    changes: tuple[str, ...]


def is_step(trial: Trial) -> bool:
    """Whether it is a trial of the candidate, or a run of the reference on the candidate's values."""
    if trial.job["role"] == "candidate":
        return True
    return bool(trial.job["isolated"]) or trial.purpose.startswith(_REFERENCE_WORDS)


def step_of(trial: Trial, place: Mapping[str, int]) -> Step:
    """The trial as the report shows it. `place`: of a node in the graph, by name."""
    interventions = trial.job["interventions"]
    named = [n for i in interventions if i["kind"] == "PinPrecision" for n in i["nodes"]]
    pinned = {place[n] for n in named if n in place}
    left = 2 * len(pinned) > len(place)
    some = [i for i in range(len(place)) if i not in pinned] if left else sorted(pinned)
    return Step(
        trial.stage,
        trial.purpose,
        trial.status,
        _reason(trial),
        trial.seconds,
        trial.time,
        trial.sha256,
        len(named) if named else None,
        strip(pinned, len(place)) if pinned else "",
        tuple(some) if pinned and len(some) <= _MOST_PINS else (),
        left,
        tuple(_changes(interventions)),
    )


def _reason(trial: Trial) -> str:
    """Its reason, in which a tensor of an isolated node has the name that it has in the model."""
    expected = trial.job["expected"] or {}
    alone = (n for n, ref in expected.items() if n != ref["tensor"] and trial.reason.startswith(f"{n}:"))
    name = next(alone, None)
    return trial.reason if name is None else expected[name]["tensor"] + trial.reason.removeprefix(name)


def strip(chosen: Collection[int], total: int) -> str:
    """How many tenths of the places 0..total-1 are chosen, in each of at most `STRIP` cells of equal width."""
    cells = min(total, STRIP)
    counts = Counter(i * cells // total for i in chosen)
    sizes = Counter(i * cells // total for i in range(total))
    return "".join(_cell(counts[c], sizes[c]) for c in range(cells))


def _cell(count: int, size: int) -> str:
    if count == size:
        return "x"
    return str(max(1, 10 * count // size) if count else 0)


def _changes(interventions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for i in interventions:
        kind = i["kind"]
        if kind == "ForcePrecision":
            yield f"all forced into {i['dtype'].upper()}"
        elif kind == "PinPrecision":
            yield f"{len(i['nodes'])} pinned to {i['dtype'].upper()}"
        elif kind in ("BanTactic", "UseTactic"):
            yield f"{'without' if kind == 'BanTactic' else 'with'} tactic {i['tactic']} of {i['layer']}"
        elif kind == "Knob":
            yield f"{i['name']} = {i['value']}"
        elif kind == "MarkOutputs":
            yield f"{len(i['tensors'])} tensors marked"
        elif kind == "BreakFusion":
            yield f"no fusion across {i['tensor']}"
        else:
            yield "the graph rewritten"
