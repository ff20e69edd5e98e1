"""What a session's folder tells, whether or not the session came to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdebug.core.case import Case
from trtdebug.core.errors import UserError
from trtdebug.core.outcome import TensorError
from trtdebug.oracle.verdict import worst
from trtdebug.report.read import FILENAME, read_report
from trtdebug.session.ended import State, ended
from trtdebug.session.garbage import size_of
from trtdebug.session.session import Session
from trtdebug.session.skips import Skips
from trtdebug.session.trials import StoredTrial, of_latest_version, stored_trials
from trtdebug.stages.observing.propagate import EVERY_TENSOR_MARKED
from trtdebug.stages.verdicts.sanity import AS_BUILT, FORCED

PURPOSES = (AS_BUILT, FORCED, EVERY_TENSOR_MARKED)
"""Trials of the whole model, whose errors say something of the case."""


@dataclass(frozen=True)
class SessionFacts:
    """A session as it lies there.

    Attributes:
        started: UTC, ISO 8601; empty where the journal is.
        verdict: of the command that came to its end last; None where none did.
        version: of the candidate that was used last, with its device; empty where none was.
        trials: of all versions, in the order in which they were finished.
        report: content of report.json; None where there is none.
        bytes: that the folder takes.
    """

    folder: Path
    case: Case
    state: State
    started: str
    verdict: str | None
    version: str
    trials: tuple[StoredTrial, ...]
    skips: Skips
    report: Mapping[str, Any] | None
    bytes: int

    def errors(self, purpose: str) -> dict[str, TensorError]:
        """By tensor the worst error of the trials of a purpose, in the version that was used last."""
        latest = of_latest_version(self.trials)
        found = [e for t in latest if t.job.purpose == purpose for e in t.outcome.tensors]
        return {error.tensor: error for error in worst(found)}


def session_facts(folder: Path) -> SessionFacts:
    """Reads a session. Raises `UserError` where it is none, or is damaged."""
    session = Session(folder)
    case, events, trials = session.case(), list(session.journal.read()), stored_trials(session)
    end = ended(events)
    candidates = [t for t in trials if t.job.role == "candidate"]
    return SessionFacts(
        folder=folder,
        case=case,
        state=end.state,
        started=events[0]["time"] if events else "",
        verdict=end.verdict,
        version=candidates[-1].job.version if candidates else "",
        trials=trials,
        skips=session.skips,
        report=read_report(folder) if (folder / FILENAME).exists() else None,
        bytes=size_of(folder),
    )


def facts_or_error(folder: Path) -> SessionFacts | str:
    """One damaged session does not hide the others."""
    try:
        return session_facts(folder)
    except UserError as error:
        return " ".join(error.message.split())


def trial_of(trials: Sequence[StoredTrial], start: str) -> StoredTrial:
    """The trial whose hash begins so. Raises `UserError` where there is none, or more than one."""
    found = [t for t in trials if t.name.startswith(start)] if start else []
    if len(found) != 1:
        many = f"{len(found)} trials begin" if found else "no trial begins"
        raise UserError(f"{many} with {start!r}.", "`trtdebug show` lists them.")
    return found[0]
