"""After an upgrade of the candidate a session's trials are done anew; by its log they are taken as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cases import open_case
from contexts import plugins_with
from planted_graphs import planted_graph

from trtdebug.backends.base import Availability
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.case import Tolerance
from trtdebug.debugger import Debugger
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.executor import InProcess
from trtdebug.session.replaying import take_recorded
from trtdebug.session.session import Session
from trtdebug.session.trials import stored_trials
from trtdebug.stages.context import Context
from trtdebug.stages.verdicts.reverdict import reverdict


class Versioned(EmulatorBackend):
    """The emulator, of a version."""

    name = "versioned"

    def __init__(self, version: str) -> None:
        self.version = version

    def probe(self) -> Availability:
        return Availability(True, self.version, "GPU")


def plugins_of(version: str) -> PluginManager:
    return plugins_with(Versioned(version))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of version 10, finished; its case."""
    folder = tmp_path_factory.mktemp("upgrade")
    planted = next(p for p in (planted_graph(s, 20, 1) for s in range(100)) if p.overflowing)
    ctx = open_case(planted.model, folder, "fp16", candidate="emulator", builds=1)
    ctx.session.store_case(replace(ctx.case, candidate="versioned"))
    return folder / "session"


def diagnosed(folder: Path, version: str) -> int:
    """How many trials are done for real."""
    plugins = plugins_of(version)
    session = Session(folder, InProcess(folder, plugins.backends()))
    Debugger(Context(session, session.case(), plugins), until="localise").run()
    return session.counts.builds


def test_another_version_repeats_all_trials_and_only_it_is_judged(home: Path) -> None:
    first = diagnosed(home, "10.0")
    assert first > 0
    assert diagnosed(home, "10.0") == 0
    assert diagnosed(home, "11.0") == first
    assert diagnosed(home, "11.0") == 0
    judged = reverdict(Session(home), Tolerance(), plugins_of("11.0"))
    assert {t.job.version for t in judged.trials} == {"11.0 GPU"}
    made = [t.job.version for t in stored_trials(Session(home)) if t.job.role == "candidate"]
    assert sorted(made) == ["10.0 GPU"] * first + ["11.0 GPU"] * first


def test_where_the_recorded_version_is_not_here_its_trials_are_taken_and_others_are_untestable(
    home: Path,
) -> None:
    diagnosed(home, "11.0")
    plugins = plugins_of("12.0")
    session = Session(home, InProcess(home, plugins.backends()))
    recorded = take_recorded(session, session.case(), plugins)
    assert recorded == "11.0 GPU"
    ctx = Context(session, session.case(), plugins, recorded_maker=recorded)
    known = Debugger(ctx, until="localise").run()
    assert (known.verdict, session.counts.builds) == ("diverges", 0)
    new = session.run(ctx.low_job(ctx.items[:1], fast=False))
    assert (new.status, "versioned 11.0 GPU is not here" in new.reason) == ("untestable", True)
    assert session.run(replace(ctx.reference_job(), repeat=7)).status == "pass"
