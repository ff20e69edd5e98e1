"""`trtdebug` inside of the test's own process, where backends that take seconds to start stay warm."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trtdebug.cli.app import app
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.builtin import load_plugins
from trtdebug.plugins.types import Executor
from trtdebug.session import executors
from trtdebug.session.executor import InProcess, WorkerProcess
from trtdebug.session.job import Job


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    stdout: str
    stderr: str


class SharedWorker:
    """One worker for the jobs of many sessions, one session at a time; each session only lets go of it."""

    def __init__(self, worker: WorkerProcess, folder: Path) -> None:
        self.worker, self.folder = worker, folder

    def run(self, job: Job) -> Outcome:
        self.worker.folder = self.folder
        return self.worker.run(job)

    def close(self) -> None:
        pass


def trtdebug(*words: object) -> Done:
    """Runs `trtdebug ...` here. What the command did not foresee is raised."""
    done = CliRunner().invoke(app, [str(w) for w in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def trtdebug_in(folder: Path, *words: object, **variables: str) -> Done:
    """As `trtdebug`, in this folder and with these variables; what is on PYTHONPATH is there in this process, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in variables.items():
            patch.setenv(name, value)
        for entry in filter(None, variables.get("PYTHONPATH", "").split(os.pathsep)):
            patch.syspath_prepend(entry)
        return trtdebug(*words)


@contextmanager
def jobs_run_by(executor: Callable[[Path], Executor]) -> Iterator[None]:
    """Within, `trtdebug` gives each session the executor that this makes for its folder."""

    def make(folder: Path, timeout: float, environment: Mapping[str, str]) -> Executor:
        return executor(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "_worker", make)
        yield


@contextmanager
def jobs_run_here() -> Iterator[None]:
    """Within, `trtdebug` starts no worker: its jobs run in this process."""
    backends: dict[str, Any] = dict(load_plugins().backends())
    with jobs_run_by(lambda folder: InProcess(folder, backends)):
        yield
