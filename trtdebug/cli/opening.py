"""From a command line to an open case: plugins, case, session folder, worker."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trtdebug.cli.console import ProgressLines
from trtdebug.cli.early import SLOW, wants_tensorrt
from trtdebug.cli.errors import UNTESTABLE, show
from trtdebug.cli.options import CaseOptions
from trtdebug.cli.plugins import load
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.case import Case
    from trtdebug.core.finding import Finding
    from trtdebug.plugins.manager import PluginManager
    from trtdebug.session.session import Session
    from trtdebug.stages.context import Context
    from trtdebug.stages.preflight import CaseRequest


_EXECUTOR = "worker"
_WITHOUT_LIBRARIES = ("emulator", "onnxruntime")
_MARKS = ("session.lock", "case.json", "preflight.json", "demo.onnx")
"""Files of which a session has one, from its first instant on."""


@dataclass(frozen=True)
class Opened:
    """An open case and what preflight found."""

    ctx: Context
    findings: tuple[Finding, ...]

    @property
    def folder(self) -> Path:
        return self.ctx.session.folder


@contextmanager
def opened(options: CaseOptions, engines: bool = False) -> Iterator[Opened]:
    """Opens the case of a command line. Nothing is written before everything the user gave was checked.

    Args:
        engines: the candidate may be a serialized engine, of which nothing but the outputs can be had.
    """
    from trtdebug.session.session import Session, new_folder

    plugins = load()
    if not engines:
        _refuse_engine(options.candidate_model)
    folder = options.session or new_folder(options.model)
    session = Session(folder)
    start_executor(session, plugins, options.timeout, options.worker_memory)
    if options.model.is_file() and wants_tensorrt(options.candidate):
        _start_workers(session, options.reference, SLOW)
    with closing(session), opened_request(options.request(), session, plugins, options.quiet) as case:
        yield case


@contextmanager
def opened_request(
    request: CaseRequest, session: Session, plugins: PluginManager, quiet: bool
) -> Iterator[Opened]:
    """Opens the case of a request in a session that has its executor already, and that the caller closes."""
    from trtdebug.session.lock import locked
    from trtdebug.session.session import create_folder
    from trtdebug.stages.preflight import prepare, store_samples

    prepared = prepare(request, plugins)
    if request.options.plugins and prepared.case.candidate in _WITHOUT_LIBRARIES:
        typer.echo(f"warning: plugin libraries are ignored by {prepared.case.candidate}.", err=True)
    refuse_foreign(session.folder)
    create_folder(session.folder)
    with locked(session.folder):
        _refuse_other_case(session.folder, prepared.case)
        _store_findings(session, prepared.findings)
        store_samples(prepared, session.tensors)
        session.store_case(prepared.case)
        with _running(session, prepared.case, plugins, quiet) as ctx:
            yield Opened(ctx, prepared.findings)


def _start_workers(session: Session, reference: str, candidate: str) -> None:
    from trtdebug.plugins.types import Startable

    if isinstance(session.executor, Startable):
        session.executor.start(reference, candidate)


def need_reference(case: Opened) -> None:
    """Runs the reference, and ends the command with exit code 4 where that can't be done."""
    try:
        case.ctx.record()
    except UserError as error:
        show(error)
        raise typer.Exit(UNTESTABLE) from None


@contextmanager
def reopened(folder: Path, timeout: float, memory: int | None, quiet: bool) -> Iterator[Opened]:
    """Opens the case of a session folder again. Raises `UserError` when one of its files is not the same any more."""
    from trtdebug.graph.load import content_sha256
    from trtdebug.session.lock import locked
    from trtdebug.session.session import Session
    from trtdebug.stages.case_files import changed_file

    session = Session(folder)
    _refuse_half_made(folder)
    case = session.case()
    _refuse_engine(Path(case.candidate_model) if case.candidate_model else None)
    if not Path(case.model).is_file():
        raise UserError(f"the session's model {case.model} is gone.", "Put it back, or start a new session.")
    if content_sha256(Path(case.model)) != case.sha256:
        raise UserError(
            f"{case.model} is not the model of the session {folder} any more: its content has changed.",
            "Start a new session with `trtdebug run`.",
        )
    changed = changed_file(case)
    if changed is not None:
        raise UserError(
            f"{changed} is not what it was in the session {folder}: it is gone, or its content has changed.",
            "Put it back, or start a new session with `trtdebug run`.",
        )
    plugins = load()
    start_executor(session, plugins, timeout, memory)
    with closing(session), locked(folder), _running(session, case, plugins, quiet) as ctx:
        yield Opened(ctx, _stored_findings(session))


@contextmanager
def _running(session: Session, case: Case, plugins: PluginManager, quiet: bool) -> Iterator[Context]:
    from trtdebug.plugins.types import TrialEvent
    from trtdebug.stages.context import Context

    _start_workers(session, case.reference, case.candidate)
    session.journal.write("opened", model=case.model)
    session.listeners.append(
        lambda job, outcome, cached: plugins.emit("trial_finished", TrialEvent(job.sha256, outcome, cached))
    )
    ctx = Context(session, case, plugins)
    if not quiet:
        lines = ProgressLines(session)
        session.listeners.append(lines.trial)
        ctx.report_progress = lines.progress
    try:
        yield ctx
    except KeyboardInterrupt:
        session.journal.write("interrupted")
        sys.stderr.write(f"interrupted; resume with: trtdebug resume {shlex.quote(str(session.folder))}\n")
        raise


def start_executor(session: Session, plugins: PluginManager, timeout: float, memory: int | None) -> None:
    """Gives the session what runs its jobs. `memory`: bytes that a worker may hold; None = the default."""
    create = plugins.executors()[_EXECUTOR].create
    session.executor = create(session.folder.resolve(), timeout, _environment(plugins.to_env(), memory))


def _environment(selection: Mapping[str, str], memory: int | None) -> dict[str, str]:
    """Of the workers: which plugins are left out, and the memory that they may hold."""
    from trtdebug.session.limits import MEMORY_VARIABLE

    return {**selection, **({} if memory is None else {MEMORY_VARIABLE: str(memory)})}


def _refuse_engine(candidate: Path | None) -> None:
    from trtdebug.backends.tensorrt.engine_file import is_engine_file

    if candidate is not None and is_engine_file(candidate):
        raise UserError(
            f"{candidate} is a serialized engine, in which nothing can be searched or changed.",
            "`trtdebug compare MODEL --engine FILE` compares its outputs.",
        )


def refuse_foreign(folder: Path) -> None:
    """Raises `UserError` for a folder with other things in it: a session is not spread among them."""
    if not folder.is_dir() or any((folder / name).exists() for name in _MARKS):
        return
    if any(folder.iterdir()):
        raise UserError(
            f"the folder {folder} is not empty and no session.", "Choose another --session folder."
        )


def check_writable(output: Path, what: str) -> None:
    """Raises `UserError` where a folder for `what` could not be made: better before the search than after it."""
    there = next(p for p in (output, *output.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        reason = "cannot be written" if there.is_dir() else "is no folder"
        raise UserError(f"the {what} cannot go to {output}: {there} {reason}.", "Choose another --output.")


def _refuse_half_made(folder: Path) -> None:
    if (folder / "preflight.json").exists() and not (folder / "case.json").exists():
        raise UserError(
            f"the session {folder} was interrupted before its case was stored: there is nothing to resume.",
            f"Give the same `trtdebug run` again, with --session {shlex.quote(str(folder))}.",
        )


def _refuse_other_case(folder: Path, case: Case) -> None:
    from trtdebug.session.session import Session

    if not (folder / "case.json").exists():
        return
    stored = Session(folder).case()
    if stored.sha256 != case.sha256:
        raise UserError(
            f"the session {folder} is of another model: {stored.model}.", "Choose another --session folder."
        )
    if stored != case:
        raise UserError(
            f"the session {folder} is of another case: its options or inputs differ.",
            "Choose another --session folder, or `trtdebug resume` it.",
        )


def _store_findings(session: Session, findings: tuple[Finding, ...]) -> None:
    from trtdebug.core.jsonable import dumps
    from trtdebug.session.files import write_text

    write_text(session.folder / "preflight.json", dumps(list(findings), indent=2))


def _stored_findings(session: Session) -> tuple[Finding, ...]:
    from trtdebug.core.finding import Finding
    from trtdebug.core.jsonable import loads

    path = session.folder / "preflight.json"
    return tuple(loads(path.read_text(encoding="utf-8"), list[Finding])) if path.exists() else ()
