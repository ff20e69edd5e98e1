"""From the arguments of a function of the Python API to an open case."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import onnx

from trtdebug.api.arguments import FilePath, as_options, path_of
from trtdebug.api.given import stored_inputs, stored_model
from trtdebug.api.opening import Opened, opened, wants_tensorrt
from trtdebug.api.place import Place
from trtdebug.api.refusals import refuse_engine, refuse_foreign
from trtdebug.api.request import RUNNING, request_of
from trtdebug.api.values import FUNCTION
from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.builtin import load_plugins
from trtdebug.session.job import Job
from trtdebug.session.lock import locked
from trtdebug.session.session import create_folder, session_folder
from trtdebug.stages.context import Progress

TellProgress = Callable[[Progress], None]

_NO_CONFIG = ("--no-config",)
"""The Python API reads no config file; the command that repeats the case must not read one either."""
_MODELS = "the path of an ONNX file, or an onnx.ModelProto (onnx.load_model_from_string makes one of bytes)"


class _Teller:
    """Tells the caller what is about to be done."""

    def __init__(self, tell: TellProgress) -> None:
        self.progress = tell

    def trial(self, job: Job, outcome: Outcome, cached: bool) -> None:
        """The session has them."""


@contextmanager
def opened_case(
    model: FilePath | onnx.ModelProto,
    session: FilePath | None,
    progress: TellProgress | None,
    arguments: Mapping[str, Any],
    engines: bool = False,
) -> Iterator[Opened]:
    """Opens the case of these arguments; what was given in memory is written into the session's folder first.

    Args:
        engines: the candidate may be a serialized engine.

    Raises:
        UserError: something that was given does not exist, can't be read or does not fit.
    """
    in_memory = isinstance(model, onnx.ModelProto)
    named = model.graph.name or "model" if isinstance(model, onnx.ModelProto) else model
    path = path_of("model", named, _MODELS)
    chosen = path_of("session", session) if session is not None else None
    watch = _Teller(FUNCTION.taken("progress", progress)) if progress is not None else None
    options = as_options(arguments)
    if not engines:
        refuse_engine(options.get("candidate_model"))
    is_there = chosen is not None and chosen.exists()
    with session_folder(chosen, path) as folder, _removed_where_nothing_came_of_it(folder, is_there) as begun:
        inputs = arguments.get("inputs")
        paths = _paths(inputs)
        if in_memory or not (inputs is None or paths):
            refuse_foreign(folder)
            create_folder(folder)
        if isinstance(model, onnx.ModelProto):
            path = stored_model(model, folder)
        if inputs is not None:
            options["inputs"] = paths or [stored_inputs(inputs, folder)]
        given = {name: options[name] for name in RUNNING if name in options}
        place = Place(folder, **given)
        known = path.is_file() and wants_tensorrt(options.get("candidate", "auto"))
        ahead = options.get("reference", "onnxruntime") if known else None
        with opened(
            lambda: request_of(path, options, _NO_CONFIG), place, load_plugins(), watch, ahead
        ) as case:
            begun()
            yield case


def _paths(inputs: Any) -> list[Path]:
    """The paths that were given as inputs; none where it is anything else."""
    several = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    return [Path(i) for i in several] if all(isinstance(i, (str, os.PathLike)) for i in several) else []


@contextmanager
def _removed_where_nothing_came_of_it(folder: Path, is_there: bool) -> Iterator[Callable[[], None]]:
    """Removes a folder that is new, unless what it gives was called, or another process began a session there."""
    kept = [is_there]
    try:
        yield lambda: kept.append(True)
    except UserError:
        if folder.exists() and not any(kept):
            _remove_unless_begun(folder)
        raise


def _remove_unless_begun(folder: Path) -> None:
    with suppress(UserError), locked(folder):
        if not (folder / "case.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
