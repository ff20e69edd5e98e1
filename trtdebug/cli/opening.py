"""From a command line to an open case."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trtdebug.api import opening
from trtdebug.api.opening import Opened
from trtdebug.api.place import Place
from trtdebug.api.refusals import refuse_engine
from trtdebug.cli.again import again
from trtdebug.cli.console import hush, watching
from trtdebug.cli.errors import UNTESTABLE, show
from trtdebug.cli.options import CaseOptions
from trtdebug.cli.plugins import load
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager
    from trtdebug.session.session import Session
    from trtdebug.stages.opening.preflight import CaseRequest


@contextmanager
def opened(options: CaseOptions, engines: bool = False) -> Iterator[Opened]:
    """Opens the case of a command line. Nothing is written before everything the user gave was checked.

    Args:
        engines: the candidate may be a serialized engine, of which nothing but the outputs can be had.
    """
    from trtdebug.session.session import session_folder

    plugins = load()
    if not engines:
        refuse_engine(options.candidate_model)
    known = options.model.is_file() and opening.wants_tensorrt(options.candidate)
    ahead = options.reference if known else None
    with (
        session_folder(options.session, options.model) as folder,
        watching(options.quiet) as watch,
        opening.opened(options.request, options.place(folder), plugins, watch, ahead) as case,
        _resumable(folder),
    ):
        yield case


@contextmanager
def opened_request(
    request: CaseRequest, session: Session, plugins: PluginManager, quiet: bool
) -> Iterator[Opened]:
    """Opens the case of a request in a session that has its executor already, and that the caller closes."""
    with (
        watching(quiet) as watch,
        opening.opened_request(request, session, plugins, watch) as case,
        _resumable(session.folder),
    ):
        yield case


@contextmanager
def reopened(
    place: Place, quiet: bool, model: Path | None = None, recorded: bool = False
) -> Iterator[Opened]:
    """Opens the case of a session folder again; see `trtdebug.api.opening.reopened`."""
    with (
        watching(quiet) as watch,
        opening.reopened(place, load(), watch, model, recorded) as case,
        _resumable(place.folder),
    ):
        yield case


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """Tells how to go on after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        hush()
        sys.stderr.write(f"interrupted; resume with: {again('resume', folder)}\n")
        raise


def need_reference(case: Opened) -> None:
    """Runs the reference, and ends the command with exit code 4 where that can't be done."""
    try:
        case.ctx.record()
    except UserError as error:
        show(error)
        raise typer.Exit(UNTESTABLE) from None
