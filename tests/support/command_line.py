"""`trtdebug` as a process of its own, for what a runner inside the test's process cannot show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: object, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """Starts `trtdebug ...`, deaf to nothing, in a process group of its own."""
    paths = [variables.pop("PYTHONPATH", ""), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-m", "trtdebug", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def trtdebug(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `trtdebug ...` to its end."""
    process = start(*arguments, cwd=cwd, **variables)
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def events(session: Path) -> list[dict[str, Any]]:
    """The journal of a session, as far as it is written."""
    journal = session / "journal.jsonl"
    if not journal.exists():
        return []
    lines = journal.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def wait_for(event: str, session: Path, seconds: float = 30) -> None:
    """Returns as soon as the journal tells of such an event."""
    deadline = time.monotonic() + seconds
    while not any(e["event"] == event for e in events(session)):
        assert time.monotonic() < deadline, f"no {event} in {session} within {seconds} s"
        time.sleep(0.01)


def session_members(leader: int) -> list[int]:
    """Processes that `start`'s process and its children started and that are alive (zombies are not)."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue  # it ended in between
        if int(session) == leader and state != "Z":
            members.append(int(stat.parent.name))
    return members
