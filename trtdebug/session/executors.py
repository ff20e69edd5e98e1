"""Registers the built-in executors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Executor, ExecutorFactory


def _worker(folder: Path, timeout: float, environment: Mapping[str, str]) -> Executor:
    from trtdebug.session.devices import own_environments
    from trtdebug.session.executor import Crew, WorkerProcesses
    from trtdebug.session.limits import GPUS_VARIABLE, MEMORY_VARIABLE, WorkerLimits, default_memory

    own = own_environments(environment)
    memory = int(environment.get(MEMORY_VARIABLE) or default_memory() // len(own))
    limits = WorkerLimits(timeout, memory)
    members = [WorkerProcesses(folder, limits, {**environment, **place}) for place in own]
    return members[0] if len(members) == 1 else Crew(members, GPUS_VARIABLE not in environment)


@hookimpl
def trtdebug_executors() -> Iterable[ExecutorFactory]:
    return (
        ExecutorFactory("worker", "warm worker processes on this machine, one a backend and GPU", _worker),
    )
