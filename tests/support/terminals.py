"""`trtdebug` on a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
CURSOR = re.compile(r"\x1b\[(\?25[lh]|\d*[AK])")
"""Sequences that move or hide the cursor, or clear a line."""


@dataclass(frozen=True)
class Seen:
    """All that came to the terminal, stdout and stderr, and the exit code."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """Without ANSI sequences."""
        return ANSI.sub("", self.raw).replace("\r\n", "\n")


def on_terminal(*words: object, cwd: Path, **variables: str) -> Seen:
    """Runs `trtdebug ...` with a terminal of 100 columns in place of stdin, stdout and stderr."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "trtdebug", *map(str, words)],
        cwd=cwd,
        env={**environment, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    raw = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # Linux says so where the other end is closed
            break
        if not piece:
            break
        raw += piece
    os.close(ours)
    return Seen(process.wait(), raw.decode())
