"""Trials on a Dask cluster: the one that TRTDEBUG_DASK_ADDRESS names, or one on this machine for the session alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path

import dask
from distributed import Client, LocalCluster

from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Outcome
from trtdebug.session.job import Job
from trtdebug.session.pool import Pooled

ADDRESS = "TRTDEBUG_DASK_ADDRESS"
"""Environment variable with a scheduler's address, such as "tcp://host:8786"; without it Dask's own settings say."""
_PATIENCE = 20.0
"""Seconds to wait for the scheduler, and for a worker of it."""


class DaskExecutor:
    """Runs as many trials at once as the cluster's workers have threads. Connects when it is first needed.

    Raises:
        UserError: `--gpus` is given, or `--workers` for a cluster that has its own.
    """

    def __init__(self, folder: Path, timeout: float, environment: Mapping[str, str]) -> None:
        self.folder, self.timeout, self.environment = folder, timeout, environment
        self.address = os.environ.get(ADDRESS) or dask.config.get("scheduler-address", None)
        if "TRTDEBUG_GPUS" in environment:
            raise UserError(
                "--gpus is of no use with --executor dask.",
                "Start one Dask worker a GPU, each with CUDA_VISIBLE_DEVICES: dask-cuda does that.",
            )
        if self.address and "TRTDEBUG_WORKERS" in environment:
            raise UserError(
                f"--workers is of no use: the Dask cluster {self.address} has workers of its own.",
                f"Leave it out, or unset {ADDRESS} for a cluster on this machine.",
            )

    @property
    def workers(self) -> int:
        return self._pooled.workers

    def start(self, reference: str, candidate: str) -> None:
        self._pooled.start(reference, candidate)

    def submit(self, job: Job) -> Future[Outcome]:
        return self._pooled.submit(job)

    def run(self, job: Job) -> Outcome:
        return self._pooled.run(job)

    def close(self) -> None:
        if "_pooled" in self.__dict__:  # else it never connected
            self._pooled.close()

    @cached_property
    def _pooled(self) -> Pooled:
        client, end = self._connected()

        def everywhere(function: Callable[[str], str], text: str) -> Iterable[str]:
            answers: dict[str, str] = client.run(function, text)
            return answers.values()

        return Pooled(
            client.get_executor(pure=False),
            sum(client.nthreads().values()),
            self.folder,
            self.timeout,
            self.environment,
            everywhere,
            end,
        )

    def _connected(self) -> tuple[Client, Callable[[], None]]:
        """The client, and what ends it."""
        if not self.address:
            count = int(self.environment.get("TRTDEBUG_WORKERS") or os.cpu_count() or 1)
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,  # a trial's memory is another process's, and has its own limit
                dashboard_address=":0",
                silence_logs=logging.ERROR,
            )
            client = Client(cluster)
            return client, lambda: (client.close(), cluster.close())[0]
        try:
            client = Client(self.address, timeout=_PATIENCE)
        except (OSError, ValueError) as error:
            raise UserError(
                f"no Dask scheduler answers at {self.address}: {' '.join(str(error).split())}.",
                f"Start one (`dask scheduler`), or set {ADDRESS}.",
            ) from error
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            client.close()
            raise UserError(
                f"the Dask cluster {self.address} has no worker.", f"Start some: dask worker {self.address}"
            ) from error
        return client, client.close
