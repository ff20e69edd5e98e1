"""Verdicts in words, the same in every format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "matches": "the candidate agrees with the reference",
    "fragile": "your builds agree, but a build that takes low precision everywhere does not",
    "diverges": "the candidate does not agree with the reference",
    "untestable": "nothing could be compared",
}
_FRAGILE_UNBUILT = "a build that takes low precision in the wrong place does not agree with the reference"


def verdict_words(report: Mapping[str, Any]) -> str:
    """What the report's verdict says; of builds as the user makes them only where any could be compared."""
    unbuilt = report["verdict"] == "fragile" and not _compared(report)
    return _FRAGILE_UNBUILT if unbuilt else _WORDS[report["verdict"]]


def builds_words(report: Mapping[str, Any], made: str = "") -> str:
    """How many of the builds as the user makes them are wrong, and of how many that is not known.

    Args:
        made: how, in words to stand behind "builds".
    """
    flaky = report["flaky"]
    builds = f"{flaky['builds']} builds{made}"
    if report["verdict"] == "untestable" or not _compared(report):
        return f"none of {builds} could be compared"
    untested = flaky.get("untested", 0)
    return f"{flaky['failed']} of {builds} are wrong" + (
        f", {untested} could not be compared" if untested else ""
    )


def _compared(report: Mapping[str, Any]) -> int:
    return int(report["flaky"]["builds"]) - int(report["flaky"].get("untested", 0))
