"""From what was asked for to an open case: session folder, executor, case, locks. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trtdebug.api.place import Place, refuse_crowd, start_executor
from trtdebug.api.refusals import refuse_engine, refuse_foreign, refuse_half_made, refuse_other_case
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.case import Case
    from trtdebug.core.finding import Finding
    from trtdebug.core.outcome import Outcome
    from trtdebug.plugins.manager import PluginManager
    from trtdebug.session.job import Job
    from trtdebug.session.session import Session
    from trtdebug.stages.context import Context, Progress
    from trtdebug.stages.opening.preflight import CaseRequest


SLOW = "tensorrt"
"""A backend that takes seconds to start, and the module that it needs."""


class Watch(Protocol):
    """Who is told how a session goes on."""

    def progress(self, progress: Progress) -> None:
        """Something is about to be done."""

    def trial(self, job: Job, outcome: Outcome, cached: bool) -> None:
        """A trial, or a run of the reference, has ended."""


@dataclass(frozen=True)
class Opened:
    """An open case and what preflight found."""

    ctx: Context
    findings: tuple[Finding, ...]

    @property
    def folder(self) -> Path:
        return self.ctx.session.folder


def wants_tensorrt(candidate: str) -> bool:
    """Whether this candidate may turn out to be TensorRT, and TensorRT is there."""
    return candidate in ("auto", SLOW) and find_spec(SLOW) is not None


@contextmanager
def opened(
    request: Callable[[], CaseRequest],
    place: Place,
    plugins: PluginManager,
    watch: Watch | None = None,
    ahead: str | None = None,
) -> Iterator[Opened]:
    """Opens a case in a session of its own. Nothing is written before everything the user gave was checked.

    Args:
        request: makes the request, once the workers are starting: that takes a while, too.
        ahead: the reference, where it and TensorRT are sure to be needed and may start at once.

    Raises:
        UserError: something that was given does not exist, can't be read or does not fit.
    """
    from trtdebug.session.session import Session

    session = Session(place.folder)
    start_executor(session, plugins, place)
    if ahead is not None:
        _start_workers(session, ahead, SLOW)
    with closing(session), opened_request(request(), session, plugins, watch) as case:
        yield case


@contextmanager
def opened_request(
    request: CaseRequest, session: Session, plugins: PluginManager, watch: Watch | None = None
) -> Iterator[Opened]:
    """Opens the case of a request in a session that has its executor already, and that the caller closes."""
    from trtdebug.session.findings import store_findings
    from trtdebug.session.lock import locked
    from trtdebug.session.session import create_folder
    from trtdebug.stages.opening.preflight import prepare, store_samples

    prepared = prepare(request, plugins)
    refuse_crowd(session, plugins.backends()[prepared.case.candidate])
    refuse_foreign(session.folder)
    create_folder(session.folder)
    with locked(session.folder):
        refuse_other_case(session.folder, prepared.case)
        store_findings(session.folder, prepared.findings)
        store_samples(prepared, session.tensors)
        session.store_case(prepared.case)
        with _running(session, prepared.case, plugins, watch) as ctx:
            yield Opened(ctx, prepared.findings)


@contextmanager
def reopened(
    place: Place,
    plugins: PluginManager,
    watch: Watch | None = None,
    model: Path | None = None,
    recorded: bool = False,
) -> Iterator[Opened]:
    """Opens the case of a session folder again, wherever it and its files were moved to.

    Args:
        model: where the model is, for a session that does not find it.
        recorded: trials of the candidate's version and device that made the last ones are taken, whatever is here; what
            is not among them is untestable, where it is another version.

    Raises:
        UserError: one of its files is not the same any more, or not to be found.
    """
    from trtdebug.graph.load import content_sha256
    from trtdebug.session.findings import read_findings
    from trtdebug.session.lock import locked
    from trtdebug.session.places import located
    from trtdebug.session.replaying import take_recorded
    from trtdebug.session.session import Session
    from trtdebug.stages.opening.backends import need_backends
    from trtdebug.stages.opening.case_files import changed_file

    folder = place.folder
    session = Session(folder)
    refuse_half_made(folder)
    stored, findings = session.case(), read_findings(folder)
    case = located(stored, folder, model)
    refuse_engine(Path(case.candidate_model) if case.candidate_model else None)
    if not Path(case.model).is_file():
        raise UserError(
            f"the session's model {case.model} is not here.", "Put it back, or say where it is: --model FILE."
        )
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
    need_backends(plugins, reference=case.reference, candidate=case.candidate)
    start_executor(session, plugins, place)
    refuse_crowd(session, plugins.backends()[case.candidate])
    maker = take_recorded(session, case, plugins) if recorded else None
    with closing(session), locked(folder):
        if case != stored:
            session.store_case(case)
        with _running(session, case, plugins, watch) as ctx:
            ctx.recorded_maker = maker
            yield Opened(ctx, findings)


@contextmanager
def _running(session: Session, case: Case, plugins: PluginManager, watch: Watch | None) -> Iterator[Context]:
    from trtdebug.plugins.types import TrialEvent
    from trtdebug.session.ended import ended
    from trtdebug.stages.context import Context
    from trtdebug.stages.opening.plugin_troubles import keep_in_journal, report_metrics

    if ended(session.journal.read()).state == "unfinished":  # a finished one asks for none, or for little
        _start_workers(session, case.reference, case.candidate)
    session.journal.write("opened", model=case.model)
    keep_in_journal(plugins, session.journal)
    session.listeners.append(lambda job, outcome, cached: report_metrics(plugins, outcome))
    session.listeners.append(
        lambda job, outcome, cached: plugins.emit("trial_finished", TrialEvent(job.sha256, outcome, cached))
    )
    ctx = Context(session, case, plugins)
    if watch is not None:
        session.listeners.append(watch.trial)
        ctx.report_progress = watch.progress
    try:
        yield ctx
    except KeyboardInterrupt:
        session.journal.write("interrupted")
        raise


def _start_workers(session: Session, reference: str, candidate: str) -> None:
    from trtdebug.plugins.types import Startable

    if isinstance(session.executor, Startable):
        session.executor.start(reference, candidate)
