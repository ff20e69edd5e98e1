"""Names in messages: lists of them, and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

NAMED = 5
"""Names in one line of a note, at most."""


def listed(names: Iterable[str], most: int) -> str:
    """The first of the names, `most` at the most, and how many more there are: "a, b and 3 more"."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def listed_with_reasons(reasons: Mapping[str, str], most: int) -> str:
    """The same of names that each have a reason: "a (why), b (why) and 3 more"."""
    return listed((f"{name} ({reason})" for name, reason in reasons.items()), most)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """ "Did you mean x?", of the known name that is most like this one; `otherwise` where none is like it."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]}?" if near else otherwise
