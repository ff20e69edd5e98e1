"""Runs the pip of the running environment."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trtdebug.plugins import pip_said


@dataclass(frozen=True)
class Ran:
    """What an installation came to.

    Attributes:
        installed: versions by name of what pip installed, what was needed for it too.
        requested: those of them that were asked for.
        unread: the package index that could not be read, and why; empty where all were.
        conflicts: what no longer has what it needs, a line each.
    """

    installed: Mapping[str, str]
    requested: tuple[str, ...]
    unread: str
    conflicts: tuple[str, ...]


def run_install(command: tuple[str, ...]) -> Ran:
    """Runs `pip install ...`.

    Raises:
        UserError: pip failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, log = Path(folder) / "report.json", Path(folder) / "log.txt"
        # Without --no-input it would ask for a password, and nobody see it.
        options = ("--no-input", "--report", str(report), "--log", str(log))
        stderr = run_pip(command, options, log)
        said = json.loads(report.read_text(encoding="utf-8"))["install"]
        unread = pip_said.unread(log.read_text(encoding="utf-8", errors="replace"))
    names = [item["metadata"]["name"] for item in said]
    versions = {item["metadata"]["name"]: item["metadata"]["version"] for item in said}
    requested = tuple(name for name, item in zip(names, said, strict=True) if item["requested"])
    return Ran(versions, requested, unread, pip_said.conflicts(stderr))


def run_pip(command: tuple[str, ...], options: tuple[str, ...] = (), log: Path | None = None) -> str:
    """Runs a command line of pip. Returns what it wrote to stderr.

    Args:
        options: beside those of the command, for us only.
        log: the file to which they make pip write.

    Raises:
        UserError: it failed.
    """
    done = subprocess.run((*command, *options), capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        logged = log.read_text(encoding="utf-8", errors="replace") if log and log.exists() else ""
        raise pip_said.failure(done.stderr, logged, shlex.join(command))
    return done.stderr
