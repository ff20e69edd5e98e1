"""What the fields of those dataclasses have to hold that hooks return."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

_TEXTS = ("name", "summary", "filename", "op", "domain")
_CALLED = ("run", "propose", "compute", "infer", "matches", "load", "render", "with_session", "create")


def fault(value: Any) -> str:
    """What is wrong with one of them, in a few words; empty where nothing is."""
    for field in fields(value):
        given = getattr(value, field.name)
        if given is None and field.default is None:
            continue
        if field.name in _TEXTS and not isinstance(given, str):
            return f"{field.name} is {type(given).__name__}, not text"
        if field.name in _CALLED and not callable(given):
            return f"{field.name} is {type(given).__name__}, and has to be a function"
        if field.name == "seconds" and not _is_span(given):
            return f"seconds is {given!r}, not a number above 0"
    return ""


def _is_span(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < math.inf
