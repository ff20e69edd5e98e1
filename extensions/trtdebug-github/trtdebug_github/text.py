"""What the report says, as one line each: names may hold anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]

_VERDICTS = {
    "matches": "the candidate agrees with the reference",
    "fragile": "your builds agree, but a build that takes low precision everywhere does not",
    "diverges": "the candidate does not agree with the reference",
    "untestable": "nothing could be compared",
}
_FRAGILE_UNBUILT = "a build that takes low precision in the wrong place does not agree with the reference"
_NAMES, _LONGEST = 5, 500


def verdict_words(report: Report) -> str:
    """What the verdict says; of builds as the user makes them only where any could be compared."""
    flaky = report["flaky"]
    unbuilt = report["verdict"] == "fragile" and flaky["builds"] == flaky.get("untested", 0)
    return _FRAGILE_UNBUILT if unbuilt else _VERDICTS[report["verdict"]]


def plain(text: str, longest: int = _LONGEST) -> str:
    """On one line: what cannot be printed is written as in Python; cut in the middle where it is too long."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    if len(line) <= longest:
        return line
    head = (longest - 3) // 2
    return f"{line[:head]}...{line[len(line) - (longest - 3 - head) :]}"


def names(values: Sequence[str]) -> str:
    """Some of them, and how many more there are."""
    more = f" and {len(values) - _NAMES} more" if len(values) > _NAMES else ""
    return ", ".join(plain(value, 100) for value in values[:_NAMES]) + more


def at_fault(culprit: Report) -> str:
    """Some of its nodes; where it is the user's marks that are not built, some of these tensors."""
    return names(culprit.get("tensors") or culprit["nodes"])


def number(value: float | str | None) -> str:
    """Three digits; what is not finite stands in reports as a string, and null where nothing was compared."""
    return "n/a" if value is None else value if isinstance(value, str) else f"{value:.3g}"


def fix_state(fix: Report) -> str:
    """What became of a fix, with its cost where that is known."""
    if fix["untestable"]:
        return "could not be tested"
    passed, tried = fix["builds_passed"]
    ratio = fix["latency_ratio"]
    cost = f", {number(ratio)} times the latency" if ratio is not None else ""
    return f"{'verified' if fix['verified'] else 'does not hold'}, {passed} of {tried} builds pass{cost}"
