"""Engines that exist already: left by a trial, by trtexec, or serialized in a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt.engine_file import engine_sha256
from trtdebug.backends.tensorrt.inspect import LAYERS_FILE, parse_dump
from trtdebug.backends.tensorrt.readback import layer_infos
from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.core.errors import NotHonoured, UserError
from trtdebug.core.jsonable import from_data
from trtdebug.core.outcome import EngineInfo
from trtdebug.oracle.tolerance import limits
from trtdebug.session.job import Job
from trtdebug.session.session import Session
from trtdebug.session.trials import of_latest_version, stored_trials
from trtdebug.stages.verdicts.sanity import AS_BUILT


def is_recorded(path: Path) -> bool:
    """Whether this is a session, a trial or a file of layers, rather than a model or a serialized engine."""
    return path.is_dir() or path.suffix.lower() == ".json"


def recorded_engine(path: Path) -> EngineInfo:
    """What is on the disk of an engine: no GPU is needed to read it.

    Args:
        path: a trial's folder; a session's (its first build as the user makes it); engine.json; or layers as the
            engine inspector writes them (engine-layers.json, or trtexec's --exportLayerInfo).

    Raises:
        UserError: there is no such thing, or nothing can be read from it.
    """
    if path.is_dir():
        return recorded_engine(_in_folder(path))
    data = _read(path)
    try:
        if "Layers" in data:
            return EngineInfo("tensorrt", "", layers=layer_infos(parse_dump(json.dumps(data))))
        return from_data(data, EngineInfo)
    except NotHonoured as error:
        raise UserError(
            f"{path}: {error.message}", f"Give a trial's engine.json or {LAYERS_FILE}."
        ) from error
    except Exception as error:  # whatever cattrs finds wrong with it
        raise UserError(
            f"{path} tells nothing of an engine.", f"Give a trial's engine.json or {LAYERS_FILE}."
        ) from error


def _in_folder(folder: Path) -> Path:
    if (folder / "engine.json").is_file():
        return folder / "engine.json"
    for trial in of_latest_version(stored_trials(Session(folder))):
        path = folder / "trials" / trial.name / "engine.json"
        if trial.job.purpose == AS_BUILT and not trial.job.record and path.is_file():
            return path
    if (folder / "trials").is_dir():
        raise UserError(
            f"the session {folder} holds no engine that was built as you build it.",
            "Name one of its trials: `trtdebug log` lists them.",
        )
    raise UserError(
        f"{folder} is neither a session nor a trial.", "Give a session's folder, or trials/<hash> in it."
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"), strict=False)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the path.") from None
    except ValueError:
        raise UserError(f"{path} is no JSON.", f"Give a trial's engine.json or {LAYERS_FILE}.") from None
    if not isinstance(data, dict):
        raise UserError(
            f"{path} tells nothing of an engine.", f"Give a trial's engine.json or {LAYERS_FILE}."
        )
    return data


def load_job(path: Path, libraries: tuple[str, ...] = (), profile_runs: int = 0) -> Job:
    """Loads an engine file in a worker, to be read, and timed on inputs made up by the engine's own shapes.

    Args:
        libraries: plugin libraries that it needs.
    """
    options = BuildOptions(plugins=libraries)
    return Job(
        purpose="engine file",
        backend="tensorrt",
        model=str(path.resolve()),
        model_sha256=engine_sha256(path),
        inputs_sha256="",
        samples=(),
        options=options,
        limits=limits(Tolerance(), options),
        feeds={},
        profile_runs=profile_runs,
    )


def reading_job(job: Job, profile_runs: int = 0) -> Job:
    """The same build, to be read and timed, with nothing compared."""
    return replace(job, expected=None, outputs=None, profile_runs=profile_runs)
