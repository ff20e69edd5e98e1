"""What a run of the pipeline has noted so far, whatever branch it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from trtdebug import __version__
from trtdebug.core.diagnosis import BackendInfo, StageTime
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome
from trtdebug.debugger.types import Until
from trtdebug.stages.context import Context

T = TypeVar("T")


@dataclass
class Notes:
    """The open case, and all that goes into its diagnosis beside the answer of a branch.

    Attributes:
        until: the last stage to run.
        unknown: what could not be decided, one line each.
        infos: by name: the backends that made an engine.
    """

    ctx: Context
    until: Until
    findings: tuple[Finding, ...] = ()
    unknown: list[str] = field(default_factory=list)
    stages: list[StageTime] = field(default_factory=list)
    infos: dict[str, BackendInfo] = field(default_factory=dict)

    def attempt(self, name: str, work: Callable[[], T]) -> T | None:
        """A stage whose failure leaves something unknown, and does not end the session."""
        with self.stage(name):
            try:
                return work()
            except UserError as error:
                self.unknown.append(f"{name}: {error.message}")
                return None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Takes down what the stage costs."""
        journal, counts = self.ctx.session.journal, self.ctx.session.counts
        started, before = time.perf_counter(), counts.total
        journal.write("stage_started", stage=name)
        yield
        spent = StageTime(name, round(time.perf_counter() - started, 3), counts.total - before)
        journal.write("stage_finished", stage=name, seconds=spent.seconds, trials=spent.trials)
        self.stages.append(spent)

    def engine_of(self, outcome: Outcome) -> None:
        """Takes down which backend made the engine."""
        if outcome.engine is not None:
            e = outcome.engine
            self.infos.setdefault(e.backend, BackendInfo(e.backend, e.version, e.device))

    def info(self, name: str) -> BackendInfo:
        return self.infos.get(name, BackendInfo(name, ""))

    @property
    def versions(self) -> dict[str, str]:
        """Of trtdebug, and of the backends in use."""
        return {"trtdebug": __version__} | {i.backend: i.version for i in self.infos.values()}
