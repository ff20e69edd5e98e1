"""Runs a repro in a fresh process: does it still fail, and in the same way?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

from trtdebug.core.outcome import Signature, SignatureKind
from trtdebug.oracle.verdict import same_failure
from trtdebug.repro.manifest import read_manifest
from trtdebug.repro.script import GONE, SHOWS, UNTESTABLE
from trtdebug.repro.spec import Verification


def verify(folder: Path, timeout: float = 120) -> Verification:
    """Runs `repro.py --json` of `folder` with this Python, in an environment that knows nothing of trtdebug.

    Args:
        timeout: seconds; a process that takes longer is killed.

    Raises:
        UserError: `folder` is no repro.
    """
    expected = read_manifest(folder).signature
    command = [sys.executable, str(folder.resolve() / "repro.py"), "--json"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
            env=_without_trtdebug(),
        )
    except subprocess.TimeoutExpired:
        return _judged(expected, "timeout", f"repro.py took more than {timeout:g} s")
    output = done.stdout + done.stderr
    if done.returncode < 0:
        return _judged(expected, "crash", f"repro.py was killed by {_signal(-done.returncode)}\n{output}")
    if done.returncode == GONE:
        return Verification(False, None, output)
    if done.returncode == SHOWS and (kind := _kind(done.stdout)) is not None:
        return Verification(same_failure(expected, Signature(kind)), kind, output)
    if done.returncode != UNTESTABLE:
        output = f"repro.py ended with exit code {done.returncode}\n{output}"
    return Verification(None, None, output)


def _without_trtdebug() -> dict[str, str]:
    """The environment, with PYTHONPATH less the folders that hold trtdebug: packages may be installed by it."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [f for f in folders if f and not (Path(f) / "trtdebug" / "__init__.py").exists()]
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("TRTDEBUG_", "PYTHONPATH"))}
    return variables | ({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})


def _judged(expected: Signature, kind: SignatureKind, output: str) -> Verification:
    """For what only the process as a whole shows: a failure if it is the one looked for, else untestable."""
    if expected.kind == kind:
        return Verification(True, kind, output)
    return Verification(None, kind, output)


def _kind(stdout: str) -> SignatureKind | None:
    """The signature in the line of JSON; None where there is no such line."""
    try:
        kind = json.loads(stdout.splitlines()[-1])["signature"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return kind if kind in get_args(SignatureKind) else None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
