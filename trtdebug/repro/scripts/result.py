"""What a repro says: how it ended, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtdebug.scripts.words import printable

Tensor = NDArray[np.generic]

SHOWS, GONE, UNTESTABLE = 1, 0, 125


class Untestable(Exception):
    """It can't be tested here; the message says why."""


class BuildFailed(Exception):
    """The backend did not build the model. A failure only where that is the failure looked for."""


@dataclass(frozen=True)
class Row:
    """One output. `kind` is None where it is right, or `unsure`; `rms_rel` is ||c - r|| / ||r|| over finite elements.

    Both errors are None where no element is finite on both sides. `note` is what there is to say beside the numbers.
    """

    name: str
    kind: str | None
    max_abs: float | None = 0.0
    rms_rel: float | None = 0.0
    nonfinite: int = 0
    elements: int = 0
    unsure: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """In one word."""
        return self.kind or ("unsure" if self.unsure else "ok")


@dataclass
class Result:
    """What the run says. `signature` is the kind of failure, None where there is none."""

    exit: int
    backend: str
    signature: str | None = None
    reason: str = ""
    version: str = ""
    outputs: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """What a backend gives back: its version, the outputs by name, and remarks."""

    version: str
    outputs: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3g}"


def table(result: Result) -> str:
    """The result for a reader."""
    lines = [f"{result.backend} ({result.version})" if result.version else result.backend]
    if result.outputs:
        lines.append(f"{'output':<40} {'max abs':>10} {'rel. RMS':>10} {'NaN/Inf':>10}  verdict")
    for row in result.outputs:
        name = printable(row.name)
        name = name if len(name) <= 40 else f"{name[:18]}...{name[-19:]}"
        wrong = f"{row.nonfinite}/{row.elements}"
        largest, rms = _number(row.max_abs), _number(row.rms_rel)
        lines.append(f"{name:<40} {largest:>10} {rms:>10} {wrong:>10}  {row.verdict}")
    lines += [f"note: {printable(row.name)}: {row.note}" for row in result.outputs if row.note]
    lines += [f"note: {note}" for note in result.notes]
    verdict = {
        SHOWS: f"the failure shows: {result.signature}",
        GONE: "the failure does not show",
        UNTESTABLE: "can't be tested",
    }[result.exit]
    lines.append(f"{verdict}{': ' if result.reason else ''}{result.reason}")
    return "\n".join(lines)


def as_json(result: Result) -> str:
    """The result on one line of strict JSON; non-finite numbers as "inf", "nan"."""

    def strict(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strict(item) for key, item in value.items()}
        if isinstance(value, list):
            return [strict(item) for item in value]
        return repr(value) if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(strict(asdict(result)), allow_nan=False)


def told(stdout: str) -> dict[str, Any]:
    """What `repro.py --json` says: its last line; empty where that is no JSON object."""
    try:
        found = json.loads(stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
