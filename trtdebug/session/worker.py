"""The worker process: takes jobs on stdin, one JSON line each, and answers with outcomes on its own pipe.

Whatever a builder prints goes to the trial's log. A crash of this process costs one trial, never the session.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TextIO

from trtdebug.core.jsonable import dumps, loads
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.job import Job
from trtdebug.session.perform import perform

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """`python -m trtdebug.session.worker ANSWER_FD SESSION_FOLDER`"""
    _die_with_parent()
    faulthandler.enable()  # a crash in a library leaves a traceback in the log
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # ... and does not lose what was printed
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the session handles Ctrl-C
    answers = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    folder = Path(sys.argv[2])
    from trtdebug.plugins.builtin import load_plugins

    plugins = load_plugins()
    backends = plugins.backends()
    metrics = {m.name: m.compute for m in plugins.metrics().values()}
    for line in sys.stdin:
        request = json.loads(line)
        _redirect(Path(request["log"]))
        job = loads(json.dumps(request["job"]), Job)
        _answer(answers, _guarded(job, backends, folder, metrics))


def _guarded(job, backends, folder, metrics) -> Outcome:  # type: ignore[no-untyped-def]
    try:
        return perform(job, backends[job.backend], folder, metrics)
    except Exception as error:  # noqa: BLE001 - any error of a backend is an outcome; the log has its traceback
        traceback.print_exc()
        sys.stderr.flush()
        return Outcome("untestable", Signature("crash"), f"{type(error).__name__}: {error}")


def _answer(answers: TextIO, outcome: Outcome) -> None:
    answers.write(dumps(outcome) + "\n")
    answers.flush()


def _redirect(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
