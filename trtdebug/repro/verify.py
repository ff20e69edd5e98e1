"""Runs a repro in a fresh process: does it still fail, and in the same way?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

from trtdebug.core.outcome import Signature, SignatureKind
from trtdebug.repro.manifest import read_manifest
from trtdebug.repro.scripts.result import GONE, SHOWS, UNTESTABLE, told
from trtdebug.repro.spec import Verification, seen


def verify(folder: Path, timeout: float = 120) -> Verification:
    """Runs `repro.py --json` of `folder` with this Python, in an environment that knows nothing of trtdebug.

    Args:
        timeout: seconds; a process that takes longer is killed.

    Raises:
        UserError: `folder` is no repro.
    """
    manifest = read_manifest(folder)
    expected, broken = manifest.signature, {error.kind for error in manifest.build_errors}
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
        said = f"repro.py took more than {timeout:g} s"
        return _judged(Signature("timeout") if "timeout" in broken else expected, "timeout", said)
    if done.returncode < 0:
        said = f"repro.py was killed by {_signal(-done.returncode)}"
        return _judged(Signature("crash") if "crash" in broken else expected, "crash", said)
    if done.returncode == GONE:
        return seen(expected, None)
    result = told(done.stdout)
    kind: Any = result.get("signature")
    if done.returncode == SHOWS and kind in get_args(SignatureKind):
        return seen(expected, Signature(kind))
    if done.returncode == UNTESTABLE and result.get("reason"):
        reason = str(result["reason"])
    else:
        last = done.stderr.strip().rpartition("\n")[2]
        reason = f"repro.py ended with exit code {done.returncode}" + (f" ({last})" if last else "")
    return Verification(None, None, f"could not be tested: {reason}")


def _without_trtdebug() -> dict[str, str]:
    """The environment, with PYTHONPATH less the folders that hold trtdebug: packages may be installed by it."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [f for f in folders if f and not (Path(f) / "trtdebug" / "__init__.py").exists()]
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("TRTDEBUG_", "PYTHONPATH"))}
    return variables | ({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})


def _judged(expected: Signature | None, kind: SignatureKind, reason: str) -> Verification:
    """For what only the process as a whole shows: a failure if it is the one looked for, else untestable."""
    if expected is not None and expected.kind == kind:
        return Verification(True, kind, f"the failure shows: {reason}")
    return Verification(None, kind, f"could not be tested: {reason}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
