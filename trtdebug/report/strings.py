"""What others named and said (nodes, paths, messages), made fit for formats that people and machines read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from trtdebug.core.told import number_text
from trtdebug.scripts.words import printable

# ECMA-48: strings (titles, links) with their end, control sequences (colours, cursor), other escapes; 7 and 8 bits.
_ANSI = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)


def plain(text: str) -> str:
    """On one line: ANSI sequences removed, other control characters and lone surrogates escaped."""
    return text if text.isprintable() else printable(_ANSI.sub("", text))


def shortened(text: str, longest: int) -> str:
    """Of this many characters at most, cut in the middle."""
    if len(text) <= longest:
        return text
    head = (longest - 3) // 2
    return f"{text[:head]}...{text[len(text) - (longest - 3 - head) :]}"


def base_name(path: str) -> str:
    """The last part of a path, of any system: its folders are the user's own affair."""
    return re.split(r"[/\\]", path)[-1] or path


def backend_text(used: Mapping[str, Any]) -> str:
    """A report's reference or candidate: its name, and its version where one is known."""
    return f"{used['backend']} {used['version']}".rstrip()


def room_text(share: float | str | None) -> str:
    """How much room a fix leaves, from its `of_limit`; empty where that is not known."""
    return f"worst error {number_text(share)} of the tolerance" if share is not None else ""


def divergence_errors(divergence: Mapping[str, Any]) -> str:
    """The errors of a report's first divergence, as far as they are known."""
    nonfinite = divergence["nonfinite"]
    errors = [
        f"{name} error {number_text(divergence[f'{name}_error'])}"
        for name in ("local", "propagated")
        # 0 beside NaN and Inf only says that no finite element differs.
        if divergence[f"{name}_error"] is not None and (divergence[f"{name}_error"] or not nonfinite)
    ]
    return ", ".join([*errors, f"{nonfinite} elements NaN or Inf on one side only"])


def fix_numbers(fix: Mapping[str, Any]) -> list[str]:
    """What is left of the error with one of a report's fixes, and what it costs; as far as that is known."""
    told = []
    if fix["max_rel_after"] is not None:
        told.append(f"max |c-r| then {number_text(fix['max_rel_after'])} of max |r|")
    if room := room_text(fix.get("of_limit")):
        told.append(room)
    if fix["latency_ratio"] is not None:
        told.append(f"{number_text(fix['latency_ratio'])} times the latency")
    return told


def repro_command(repro: Mapping[str, Any]) -> str:
    """What shows the failure of a repro; report.json's entry of it."""
    path = repro["path"]
    alone = repro.get("standalone", True)
    return shlex.join(["python", f"{path}/repro.py"] if alone else ["trtdebug", "repro", "check", path])
