"""Console sessions of a README, run as they stand there and compared line by line.

A session is a block of ```console: lines that begin with "$ " are commands, the lines behind each are what it writes to
stdout. There "..." at the end of a line stands for the rest of it, and on a line of its own for any lines. Runs of
blanks are one. Numbers with a fraction may be off by 5 %, and seconds, versions and names of sessions by anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from doc_blocks import Command, blocks
from in_process import jobs_run_here, trtdebug

ROOT = Path(__file__).resolve().parents[2]
_FREE = r"\d{8}-\d{6}|\d+(?:\.\d+){2,}|\d+(?:\.\d+)? m?s\b"
_FRACTION = r"\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+"
_NUMBER = re.compile(f"(?P<free>{_FREE})|(?P<fraction>{_FRACTION})")
_OFF = 0.05


def steps(readme: Path) -> list[Command]:
    """All commands of a README's sessions, in order."""
    return [c for block in blocks(readme) if block.language == "console" for c in block.commands()]


def check_readme(readme: Path, folder: Path) -> int:
    """Runs a README's sessions in `folder`, where samples/ and extensions/ are those of this checkout.

    Returns how many commands there were. Raises `AssertionError` where one writes something else.
    """
    for name in ("samples", "extensions"):
        (folder / name).symlink_to(ROOT / name)
    found = steps(readme)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with jobs_run_here():
            for step in found:
                written = _run(step.words)
                difference = differs(step.output or (), written)
                assert not difference, f"{readme}: $ {step.line}\n{difference}\nIt wrote:\n{written}"
    finally:
        os.chdir(before)
    return len(found)


def _run(words: list[str]) -> str:
    runners: dict[str, Callable[[], str]] = {
        "trtdebug": lambda: trtdebug(*words[1:]).stdout,
        "python": lambda: (
            subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True, text=True).stdout
        ),
    }
    assert words[0] in runners, f"a session runs trtdebug and python only, not {words[0]}"
    return runners[words[0]]()


def differs(expected: tuple[str, ...], written: str) -> str:
    """The first line that is not as expected; empty where all are."""
    lines = written.splitlines()
    at = 0
    skipping = False
    for line in expected:
        if line == "...":
            skipping = True
            continue
        fits = [
            i for i in range(at, len(lines) if skipping else min(at + 1, len(lines))) if _fits(line, lines[i])
        ]
        if not fits:
            got = "any line behind" if skipping else repr(lines[at]) if at < len(lines) else "the end of"
            return f"expected: {line!r}, not {got} line {at + 1} of the output"
        at, skipping = fits[0] + 1, False
    if at < len(lines) and not skipping:
        return f"nothing more was expected, but {lines[at]!r}"
    return ""


def _fits(expected: str, written: str) -> bool:
    wanted, got = (" ".join(text.split()) for text in (expected, written))
    open_end = wanted.endswith("...")
    pattern, numbers, at = "", [], 0
    wanted = wanted.removesuffix("...") if open_end else wanted
    for found in _NUMBER.finditer(wanted):
        pattern += re.escape(wanted[at : found.start()])
        fraction = found["fraction"]
        pattern += f"({_FRACTION})" if fraction else f"(?:{_FREE})"
        numbers += [float(fraction)] if fraction else []
        at = found.end()
    pattern += re.escape(wanted[at:]) + (".*" if open_end else "")
    match = re.fullmatch(pattern, got)
    if match is None:
        return False
    close = (abs(float(m) - n) <= _OFF * abs(n) for m, n in zip(match.groups(), numbers, strict=True))
    return all(close)
