"""Whether somebody watches, and wants colours; and the colours, without rich, which takes 0.1 s to import."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import IO, Any

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"
_OFF = "\x1b[0m"


@dataclass
class _Wanted:
    colours: bool = True


_wanted = _Wanted()


def want_colours(wanted: bool) -> None:
    """Takes `--no-color`."""
    _wanted.colours = wanted


def is_terminal(stream: IO[Any]) -> bool:
    """Whether a person sees what is written there, on a terminal that can be drawn on."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "")


def has_colours(stream: IO[Any]) -> bool:
    """Whether to colour what is written there: see https://no-color.org for NO_COLOR."""
    return _wanted.colours and not os.environ.get("NO_COLOR") and is_terminal(stream)


_RULES = tuple(
    (re.compile(pattern), style)
    for pattern, style in (
        (r"^MATCHES:", f"{_BOLD};{_GREEN}"),
        (r"^FRAGILE:", f"{_BOLD};{_YELLOW}"),
        (r"^(DIVERGES|UNTESTABLE):", f"{_BOLD};{_RED}"),
        (r"^fix \(verified[^)]*\):", f"{_BOLD};{_GREEN}"),
        (r"^(cause: .*|first (culprit|divergence)|findings|not known)$", _BOLD),
        (r"^(fix|repro) \([^)]*\):|^undecided among [^:]*:", _BOLD),
        (r"^  error  ", _RED),
        (r"^  warning ", _YELLOW),
        (r"^  info   ", _CYAN),
        (r"^(model|candidate|reference|rule|builds|session) ", _DIM),
    )
)


def styled(text: str) -> str:
    """The report for people in colours: the same text, character by character, with marks of style between."""
    return "".join(_styled_line(line) for line in text.splitlines(keepends=True))


def _styled_line(line: str) -> str:
    for pattern, style in _RULES:
        found = pattern.search(line)
        if found:
            return f"\x1b[{style}m{found[0]}{_OFF}{line[found.end() :]}"
    return line
