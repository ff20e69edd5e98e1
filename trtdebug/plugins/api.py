"""The version of what extensions build on, and the versions that a package says it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable

API = 1
"""Version of the hooks and types. It counts breaks: between them both grow by what is optional only."""


def misfit(ranges: Iterable[str]) -> str:
    """Why a package that states these ranges ("1", "1-2") cannot be used, one line; empty where it can.

    One that states none was written for the first version.
    """
    ranges = tuple(ranges) or ("1",)
    bounds = []
    for text in ranges:
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if low > high:
            return f"it states the API range {text!r}; a number is wanted, or two that grow: 1 or 1-2"
        bounds.append((low, high))
    if any(low <= API <= high for low, high in bounds):
        return ""
    needed = f"it needs API {' or '.join(ranges)}, and this trtdebug has {API}"
    newer = min(low for low, _ in bounds) > API
    return f"{needed}: {'upgrade trtdebug' if newer else 'it is too old, upgrade it'}"
