"""Serves jobs and questions to parsers: one JSON line each comes in, one goes out. A worker that is ready does this.

Whatever a builder prints goes to the trial's log. A crash of this process costs one trial, never the session.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from trtdebug.backends.base import Backend, Support
from trtdebug.core.build_error import BuildError
from trtdebug.core.full_disk import no_room
from trtdebug.core.jsonable import dumps, from_data
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.job import Job
from trtdebug.session.measuring import Metrics
from trtdebug.session.perform import Operators, perform
from trtdebug.session.support import SupportQuestion, tell_support

_GONE = "the extension that has it is not installed where the worker runs, or fails there; see `trtdebug ext list`"


def serve(
    requests: Iterable[str],
    answers: TextIO,
    backends: Mapping[str, Backend],
    metrics: Metrics,
    operators: Operators,
) -> None:
    """Answers each request twice: an empty line when it begins, the outcome when it is done."""
    for line in requests:
        request = json.loads(line)
        _answer(answers, "")  # begun
        _answer(answers, dumps(_done(request, backends, metrics, operators)))


def _done(
    request: Mapping[str, Any], backends: Mapping[str, Backend], metrics: Metrics, operators: Operators
) -> Outcome | Support:
    folder = Path(request["folder"])
    try:
        _redirect(Path(request["log"]))
        if "question" in request:
            return tell_support(from_data(request["question"], SupportQuestion), backends, folder)
        return _guarded(from_data(request["job"], Job), backends, folder, metrics, operators)
    except OSError as error:
        why = no_room(error)
        if not why:
            raise
        if "question" in request:
            return Support(None, (BuildError("crash", why),))
        return Outcome("untestable", Signature("disk"), why, provisional=True)


def _guarded(
    job: Job, backends: Mapping[str, Backend], folder: Path, metrics: Metrics, operators: Operators
) -> Outcome:
    """Raises `OSError` where there is no room for what the trial keeps, or for its log."""
    if job.backend not in backends:
        reason = f"a worker has no backend {job.backend!r}: {_GONE}"
        return Outcome("untestable", Signature("crash"), reason, provisional=True)
    try:
        return perform(job, backends[job.backend], folder, metrics, operators)
    except Exception as error:
        if no_room(error):
            raise
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
