"""Registers the built-in executors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Executor, ExecutorFactory


def _worker(folder: Path, timeout: float, environment: Mapping[str, str]) -> Executor:
    from trtdebug.session.executor import WorkerProcesses
    from trtdebug.session.limits import MEMORY_VARIABLE, WorkerLimits, default_memory

    memory = int(environment.get(MEMORY_VARIABLE) or default_memory())
    return WorkerProcesses(folder, WorkerLimits(timeout, memory), environment)


@hookimpl
def trtdebug_executors() -> Iterable[ExecutorFactory]:
    return (ExecutorFactory("worker", "a warm worker process a backend, on this machine", _worker),)
