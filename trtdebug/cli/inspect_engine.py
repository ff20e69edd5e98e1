"""Engines to be looked at: built from a model, loaded from a file, or left on the disk by a trial."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trtdebug.api.place import start_executor
from trtdebug.cli.errors import UNTESTABLE, show
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions
from trtdebug.cli.plugins import load
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.outcome import EngineInfo, Outcome

_OF_ANY_ENGINE = (
    "model",
    "json",
    "quiet",
    "timeout",
    "worker_memory",
    "executor",
    "gpus",
    "workers",
    "plugins",
)


def built(options: CaseOptions, count: int, profile_runs: int) -> list[EngineInfo]:
    """`count` engines of the model, each built as the options say."""
    from trtdebug.stages.engines.recorded import reading_job
    from trtdebug.stages.verdicts.sanity import as_built_job

    with opened(options) as case:
        jobs = [as_built_job(case.ctx, number) for number in range(count)]
        return [_engine(case.ctx.session.run(reading_job(job, profile_runs))) for job in jobs]


def existing(path: Path, options: CaseOptions, profile_runs: int) -> EngineInfo:
    """The engine of an engine file, of a trial, or of a session."""
    from trtdebug.stages.engines.recorded import is_recorded, recorded_engine

    if not is_recorded(path):
        return _loaded(path, options, profile_runs)
    if profile_runs:
        raise UserError(
            f"{path} is a record of an engine, which can't be timed any more.",
            "Give --profile with the model or with an engine file.",
        )
    return recorded_engine(path)


def _loaded(path: Path, options: CaseOptions, profile_runs: int) -> EngineInfo:
    """Loads an engine file, in a worker: a damaged one may end its process."""
    from trtdebug.session.session import Session
    from trtdebug.stages.engines.recorded import load_job
    from trtdebug.stages.opening.backends import choose_candidate

    libraries = tuple(str(p.resolve()) for p in options.plugins or ())
    job = load_job(path, libraries, profile_runs)
    plugins = load()
    choose_candidate("tensorrt", plugins)
    with tempfile.TemporaryDirectory(prefix="trtdebug-") as folder:
        session = Session(Path(folder))
        start_executor(session, plugins, options.place(session.folder))
        try:
            outcome = session.run(job)
        finally:
            session.close()
    if outcome.status == "untestable":
        show(unloadable(path, outcome.reason))
        raise typer.Exit(UNTESTABLE)
    return _engine(outcome)


def unloadable(path: Path, reason: str) -> UserError:
    """The error that names an engine file which could not be loaded."""
    return UserError(reason if path.name in reason else f"the engine {path.name} can't be loaded: {reason}")


def _engine(outcome: Outcome) -> EngineInfo:
    """What was read back; ends the command with exit code 4 where there is no engine to read."""
    error = UserError(outcome.reason)
    if outcome.status != "untestable" and outcome.engine is not None:
        if outcome.engine.layers:
            return outcome.engine
        told = "; ".join(outcome.engine.notes)
        error = UserError(
            f"{outcome.engine.backend} shows no engine layers{f' ({told})' if told else ''}.",
            "`trtdebug doctor` says whether TensorRT works here.",
        )
    show(error)
    raise typer.Exit(UNTESTABLE)


def refuse_build_options(path: Path, options: CaseOptions) -> None:
    """Raises `UserError` for options that say how to build: they say nothing of an engine that exists."""
    for option in fields(options):
        if option.name not in _OF_ANY_ENGINE and getattr(options, option.name) != option.default:
            flag = f"--{option.name.replace('_', '-')}"
            raise UserError(f"{flag} is of no use: {path} is an engine already.", "Leave it out.")
