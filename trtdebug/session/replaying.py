"""Replays a session by its log: a new session with the trials whose verdicts the log gives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trtdebug.core.case import Case
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_skeleton
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import Executor
from trtdebug.session.files import write_text
from trtdebug.session.findings import read_findings, store_findings
from trtdebug.session.job import Job
from trtdebug.session.log_text import Log, Verdict
from trtdebug.session.places import located
from trtdebug.session.session import Session
from trtdebug.session.skips import Skips, store_skips
from trtdebug.session.trials import StoredTrial, of_latest_version, stored_trials

_STATUS: dict[Verdict, str] = {"pass": "pass", "fail": "fail", "skip": "untestable"}


def replayed(log: Log, source: Path, target: Path, model: Path | None = None) -> Session:
    """Makes the session `target`, in which the trials of the log are finished as it says. Nothing runs.

    Args:
        source: the folder of the session that the log is of, wherever it lies now.
        model: where the model is, for a session that does not find it.

    Raises:
        UserError: the log names a trial that the session does not have, or a node that the model does not; or
            `target` is there already.
    """
    old = Session(source)
    case = located(old.case(), source, model)
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} exists already.", "Name a new folder with --session.")
    trials = {t.name: t for t in stored_trials(old)}
    chosen = {_one(trials, start, source).name: verdict for start, verdict in log.verdicts.items()}
    _check_nodes(log.nodes, case.model)
    findings = read_findings(source)
    new = Session(target)
    target.mkdir(parents=True, exist_ok=True)
    store_findings(target, findings)
    if (source / "tensors" / "samples").is_dir():
        _copy(source / "tensors" / "samples", target / "tensors" / "samples")
    changed = 0
    for name in (n for n in trials if n in chosen):
        changed += _take(trials[name], chosen[name], source, new)
    new.store_case(case)
    store_skips(target, Skips(nodes=log.nodes))
    new.journal.write("replayed", source=source.name, trials=len(chosen), changed=changed)
    return new


def _check_nodes(names: Sequence[str], model: str) -> None:
    known = frozenset(GraphIndex(load_skeleton(Path(model))).order) if names else frozenset()
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise UserError(
            f"the log skips {strange!r}, which is no node of {model}.",
            "`trtdebug inspect --nodes` lists nodes.",
        )


def _one(trials: dict[str, StoredTrial], start: str, source: Path) -> StoredTrial:
    found = [t for name, t in trials.items() if name.startswith(start)]
    if len(found) != 1:
        many = "more than one trial" if found else "no trial"
        raise UserError(f"{source} has {many} {start}.", "`trtdebug log` writes which there are.")
    return found[0]


def _take(trial: StoredTrial, verdict: Verdict, source: Path, new: Session) -> bool:
    """Puts a trial into the new session. Returns whether its verdict is another one."""
    _copy(source / "trials" / trial.name, new.trial_folder(trial.name))
    scope = trial.name[:16]
    if (source / "tensors" / scope).is_dir():
        _copy(source / "tensors" / scope, new.folder / "tensors" / scope)
    outcome = _told(trial.outcome, verdict, trial.job)
    if outcome is not trial.outcome:
        write_text(new.trial_folder(trial.name) / "outcome.json", dumps(outcome, indent=2))
    new.note_finished(trial.name, trial.job.purpose, outcome)
    return outcome is not trial.outcome


def _told(outcome: Outcome, verdict: Verdict, job: Job) -> Outcome:
    """The outcome with the verdict of the log."""
    if outcome.status == _STATUS[verdict]:
        return outcome
    reason = f"the log says {verdict}; it was {outcome.status}"
    if verdict == "pass":
        return replace(outcome, status="pass", signature=None, reason=reason)
    if verdict == "skip":
        return replace(outcome, status="untestable", signature=None, reason=reason)
    signature = outcome.signature or Signature("mismatch", tuple(job.expected or ()))
    return replace(outcome, status="fail", signature=signature, reason=reason)


def _copy(source: Path, target: Path) -> None:
    """Files that are only ever replaced as a whole are linked, where the file system can."""
    shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def take_recorded(session: Session, case: Case, plugins: PluginManager) -> str:
    """Version and device by which the candidate's last trials were made; another one here does none itself."""
    made = [t for t in of_latest_version(stored_trials(session)) if t.job.role == "candidate"]
    found = plugins.backends()[case.candidate].probe()
    recorded = made[-1].job.version if made else found.maker
    if session.executor is not None and not (found.ok and recorded == found.maker):
        session.executor = _Absent(session.executor, case.candidate, recorded)
    return recorded


class _Absent:
    """Runs what does not need the candidate of another machine."""

    def __init__(self, executor: Executor, backend: str, version: str) -> None:
        self.executor, self.backend, self.version = executor, backend, version

    def run(self, job: Job) -> Outcome:
        if job.backend == self.backend and job.role != "reference":
            return Outcome(
                "untestable", reason=f"the log has no verdict, and {self.backend} {self.version} is not here"
            )
        return self.executor.run(job)

    def close(self) -> None:
        self.executor.close()
