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
    """What the report's verdict says; of builds as the user makes them only where there were any."""
    unbuilt = report["verdict"] == "fragile" and not report["flaky"]["builds"]
    return _FRAGILE_UNBUILT if unbuilt else _WORDS[report["verdict"]]
