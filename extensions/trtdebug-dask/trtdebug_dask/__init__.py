"""A trtdebug extension: the executor `dask`, which spreads trials over a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Executor, ExecutorFactory


def _create(folder: Path, timeout: float, environment: Mapping[str, str]) -> Executor:
    from trtdebug_dask.executor import DaskExecutor  # takes Dask, which only sessions that use it need

    return DaskExecutor(folder, timeout, environment)


@hookimpl
def trtdebug_executors() -> Iterable[ExecutorFactory]:
    return (ExecutorFactory("dask", "a Dask cluster, or one that is started on this machine", _create),)
