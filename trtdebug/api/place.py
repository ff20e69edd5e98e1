"""Where a session lies, and what runs its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtdebug.core.errors import UserError
from trtdebug.session.limits import GPUS_VARIABLE, MEMORY_VARIABLE, WORKERS_VARIABLE

if TYPE_CHECKING:
    from trtdebug.backends.base import Backend
    from trtdebug.plugins.manager import PluginManager
    from trtdebug.session.session import Session

EXECUTOR = "worker"
"""Name of the executor that runs trials on this machine."""


@dataclass(frozen=True)
class Place:
    """Where a session lies and what its workers may take.

    Attributes:
        timeout: seconds that one trial may take.
        worker_memory: bytes of host memory that a worker may hold; None = the default.
        executor: name of the executor.
        gpus: GPUs with a worker each, "0,1" or "all"; None = one worker, on the first.
        workers: trials at once where no GPU is needed; None = one, or what the executor has.
    """

    folder: Path
    timeout: float = 1800.0
    worker_memory: int | None = None
    executor: str = EXECUTOR
    gpus: str | None = None
    workers: int | None = None

    def environment(self, selection: Mapping[str, str]) -> dict[str, str]:
        """Of the workers: which plugins are left out, and what was asked for here."""
        asked = {
            MEMORY_VARIABLE: self.worker_memory,
            GPUS_VARIABLE: self.gpus,
            WORKERS_VARIABLE: self.workers,
        }
        return {**selection, **{name: str(value) for name, value in asked.items() if value is not None}}


def start_executor(session: Session, plugins: PluginManager, place: Place) -> None:
    """Gives the session what runs its jobs.

    Raises:
        UserError: there is no such executor or GPU, or the executor does one trial at a time, and more were asked for.
    """
    from trtdebug.plugins.absent import why_absent
    from trtdebug.session.at_once import workers_of
    from trtdebug.session.lent_executor import create

    known = {found.value.name: found for found in plugins.collect("executors")}
    if place.executor not in known:
        raise UserError(
            f"there is no executor {place.executor!r}: known are {', '.join(sorted(known))}."
            f"{why_absent(plugins, 'executors')}",
            "`trtdebug ext list` shows the extensions that are installed.",
        )
    environment = place.environment(plugins.to_env())
    folder = session.folder.resolve()
    session.executor = create(known[place.executor], plugins, folder, place.timeout, environment)
    if (place.workers or 1) > 1 and workers_of(session.executor) == 1:
        raise UserError(
            f"the executor {place.executor} does one trial at a time.",
            "Leave out --workers, or take another.",
        )


def refuse_crowd(session: Session, candidate: Backend) -> None:
    """Raises `UserError` where several builders that go by timing would share a GPU, and disturb each other."""
    from trtdebug.session.executor import Crew

    crew = session.executor
    if isinstance(crew, Crew) and crew.share_a_device and not candidate.deterministic:
        raise UserError(
            f"--workers {crew.workers} would have {candidate.name} build on one GPU so many times at once, and it "
            "chooses by timing.",
            "Give --gpus 0,1,... or all: one worker a GPU.",
        )
