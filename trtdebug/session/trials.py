"""The trials that a session's folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import Outcome
from trtdebug.session.job import Job
from trtdebug.session.session import Session
from trtdebug.session.trial_files import read_job, read_outcome


@dataclass(frozen=True)
class StoredTrial:
    """A finished trial. `name`: its hash, which names its folder."""

    name: str
    job: Job
    outcome: Outcome


def stored_trials(session: Session) -> tuple[StoredTrial, ...]:
    """All finished trials, in the order in which they were finished last.

    Raises:
        UserError: a trial's files are damaged.
    """
    finished = [e["trial"] for e in session.journal.read() if e.get("event") == "trial_finished"]
    order = {name: number for number, name in enumerate(finished)}
    paths = session.folder.glob("trials/*/outcome.json")
    names = sorted((p.parent.name for p in paths), key=lambda name: (order.get(name, -1), name))
    folders = (session.trial_folder(name) for name in names)
    return tuple(StoredTrial(f.name, read_job(f), read_outcome(f)) for f in folders)


def of_latest_version(trials: Sequence[StoredTrial]) -> tuple[StoredTrial, ...]:
    """Without the candidate's trials of another version, or on another device, than that which was used last."""
    made = [(t.job.backend, t.job.version) for t in trials if t.job.role == "candidate"]
    return tuple(t for t in trials if t.job.role != "candidate" or (t.job.backend, t.job.version) == made[-1])
