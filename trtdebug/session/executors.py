"""Registers the built-in executors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Executor, ExecutorFactory


def _worker(folder: Path, timeout: float, environment: Mapping[str, str]) -> Executor:
    from trtdebug.session.executor import WorkerProcess

    return WorkerProcess(folder, timeout, environment)


@hookimpl
def trtdebug_executors() -> Iterable[ExecutorFactory]:
    return (ExecutorFactory("worker", "one warm worker process on this machine", _worker),)
