"""The command blocks of the documentation: read, and held against what a command really prints.

A ```sh block is commands; a ```console block has them after "$ ", and what they print. There "..." stands for
any text, and alone on a line for any lines. Comments right before a block say how to take it:

    <!-- needs: gpu -->      only parsed, since it needs a GPU (or: network, clone, rtx, a tool); see NEEDS
    <!-- first: COMMAND -->  a command that the reader has given before, on another page
    <!-- run: here -->       before a block of Python: it is run, after the ones before it
    <!-- exit: 4 -->         the last command ends with this code; else with 0, or 1 for a model that is wrong
    <!-- file: swish.py -->  before any block: its text is written to this file first
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NEEDS = {
    "gpu": "a GPU and TensorRT",
    "network": "pip and the network",
    "clone": "a clone of the repository",
    "rtx": "the extension trtdebug-rtx and TensorRT-RTX",
    "tool": "a tool that is not ours",
    "environment": "an environment of its own, in which tests/cli/test_first_extension.py runs it",
    "yours": "a model or an environment of the reader's",
}
_COMMENT = re.compile(r"<!--\s*(\w+):\s*(.*?)\s*-->\s*$")
_FENCE = re.compile(r"^(\s*)(`{3,})(\S*)")


@dataclass(frozen=True)
class Command:
    """A command line, and what it prints where the page shows it."""

    line: str
    output: tuple[str, ...] | None

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line, comments=True)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: where it begins, from 1.
        notes: what the comments before it say.
    """

    page: Path
    line: int
    language: str
    text: tuple[str, ...]
    notes: dict[str, str]

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"

    def commands(self) -> Iterator[Command]:
        if self.language not in ("sh", "console"):
            return
        if self.language == "sh":
            joined = "\n".join(self.text).replace("\\\n", " ")
            yield from (
                Command(line, None) for line in joined.splitlines() if shlex.split(line, comments=True)
            )
            return
        line, output = "", list[str]()
        for text in self.text:
            if text.startswith("$ "):
                if line:
                    yield Command(line, tuple(output))
                line, output = text.removeprefix("$ "), []
            elif line.endswith("\\"):
                line = f"{line.removesuffix(chr(92))} {text.strip()}"
            else:
                output.append(text)
        if line:
            yield Command(line, tuple(output))


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page. Raises `ValueError` for one that has no end."""
    notes: dict[str, str] = {}
    fence, begun, language, text = "", 0, "", list[str]()
    indent = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = _FENCE.match(line)
        if fence:
            if line.strip() == fence:
                yield Block(page, begun, language, tuple(text), notes)
                fence, notes, text = "", {}, []
            else:
                text.append(line.removeprefix(indent))
        elif found:
            indent, fence, language = found.groups()
            begun = number
        elif comment := _COMMENT.match(line.strip()):
            notes = {**notes, comment[1]: comment[2]}
        elif line.strip():
            notes = {}
    if fence:
        raise ValueError(f"{page}:{begun}: the block has no end")


def agrees(shown: tuple[str, ...], printed: str) -> bool:
    """Whether what a page shows is what was printed, with "..." for anything."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    return _agree([line.rstrip() for line in shown], lines)


def _agree(shown: list[str], printed: list[str]) -> bool:
    """Both from their beginnings; a line "..." takes as many lines as it has to."""
    reachable = {0}
    for line in shown:
        if line.strip() == "...":
            reachable = set(range(min(reachable), len(printed) + 1)) if reachable else set()
        else:
            pattern = ".*".join(map(re.escape, line.split("...")))
            reachable = {i + 1 for i in reachable if i < len(printed) and re.fullmatch(pattern, printed[i])}
    return len(printed) in reachable
