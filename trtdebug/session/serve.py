"""Serves jobs: one JSON line each comes in, an outcome goes out. What happens in a worker once it is ready.

Whatever a builder prints goes to the trial's log. A crash of this process costs one trial, never the session.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from trtdebug.backends.base import Backend
from trtdebug.core.jsonable import dumps, loads
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.job import Job
from trtdebug.session.perform import Metrics, perform


def serve(
    requests: Iterable[str], answers: TextIO, backends: Mapping[str, Backend], metrics: Metrics
) -> None:
    """Answers each request twice: an empty line when it begins, the outcome when it is done."""
    for line in requests:
        request = json.loads(line)
        _redirect(Path(request["log"]))
        _answer(answers, "")  # begun
        job = loads(json.dumps(request["job"]), Job)
        _answer(answers, dumps(_guarded(job, backends, Path(request["folder"]), metrics)))


def _guarded(job: Job, backends: Mapping[str, Backend], folder: Path, metrics: Metrics) -> Outcome:
    try:
        return perform(job, backends[job.backend], folder, metrics)
    except Exception as error:  # noqa: BLE001 - any error of a backend is an outcome; the log has its traceback
        traceback.print_exc()
        sys.stderr.flush()
        return Outcome("untestable", Signature("crash"), f"{type(error).__name__}: {error}")


def _answer(answers: TextIO, line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


def _redirect(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
