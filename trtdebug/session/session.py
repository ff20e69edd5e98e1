"""The session: the folder that holds a case, its journal and its trials, and survives being killed."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from trtdebug.core.case import Case
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.types import Executor
from trtdebug.session.at_once import do_all, workers_of
from trtdebug.session.files import write_text
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.journal import Journal
from trtdebug.session.places import note_places
from trtdebug.session.skips import SKIPPED, Skips, read_skips
from trtdebug.session.stored import read_stored
from trtdebug.session.tensors import TensorStore
from trtdebug.session.timing import ENGINE_FILE
from trtdebug.session.trial_files import read_outcome

DEFAULT_ROOT = Path(".trtdebug")

TrialListener = Callable[[Job, Outcome, bool], None]


@dataclass
class Counts:
    """Trials of the candidate so far. `builds`: done for real, not found in the cache; `seconds`: they took."""

    total: int = 0
    builds: int = 0
    cached: int = 0
    untestable: int = 0
    seconds: float = 0.0

    def add(self, outcome: Outcome, cached: bool) -> None:
        """Counts one trial."""
        self.total += 1
        self.untestable += outcome.status == "untestable"
        self.cached += cached
        self.builds += not cached
        self.seconds += 0.0 if cached else outcome.build_seconds + outcome.run_seconds


@dataclass
class Session:
    """An open session folder.

    Attributes:
        executor: runs the jobs whose outcome is not in the folder yet.
        listeners: told of every trial: (job, outcome, from the cache).
    """

    folder: Path
    executor: Executor | None = None
    listeners: list[TrialListener] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    _ahead: set[str] = field(default_factory=set, init=False)  # jobs done ahead and not asked for yet

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "journal.jsonl")

    @property
    def tensors(self) -> TensorStore:
        return TensorStore(self.folder / "tensors")

    def case(self) -> Case:
        """The stored case. Raises `UserError` when there is none or it can't be read."""
        path = self.folder / "case.json"
        if not path.exists():
            lacks = "it has no case.json" if self.folder.is_dir() else "there is no such folder"
            raise UserError(
                f"{self.folder} is not a session: {lacks}.", "`trtdebug list` shows those in .trtdebug."
            )
        return read_stored(path, Case, "Start a new session.")

    def store_case(self, case: Case) -> None:
        note_places(case, self.folder)
        write_text(self.folder / "case.json", dumps(case, indent=2))

    @property
    def skips(self) -> Skips:
        """What the user takes for untestable."""
        return read_skips(self.folder)

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return workers_of(self.executor)

    def run(self, job: Job) -> Outcome:
        """The outcome of a job: from the folder when it was finished before, else by doing it.

        Raises:
            OSError: there was no room for what it keeps, which says nothing of the job.
        """
        return self.run_all((job,))[0]

    def run_all(self, jobs: Sequence[Job]) -> tuple[Outcome, ...]:
        """The outcomes of jobs that do not depend on each other, in their order; as many as can be are done at once."""
        names, skipped = [job.sha256 for job in jobs], self.skips.trials
        outcomes: dict[str, Outcome] = {}
        missing: dict[str, Job] = {}
        for name, job in zip(names, jobs, strict=True):
            known = SKIPPED if name in skipped else None if name in missing else self._finished(job)
            if known is not None:
                outcomes[name] = known
                if name in self._ahead:  # it was told of then
                    self._ahead.discard(name)
                else:
                    self._tell(job, known, cached=True)
            else:
                missing.setdefault(name, job)

        def done(job: Job, outcome: Outcome) -> None:
            if outcome.signature is not None and outcome.signature.kind == "disk":
                raise OSError(errno.ENOSPC, outcome.reason)
            stored = self._store(job, outcome)
            outcomes[stored.trial] = stored
            self._tell(job, stored, cached=False)

        if missing:
            do_all(self._executor(), tuple(missing.values()), self._begin, done)
        return tuple(outcomes[name] for name in names)

    def run_until(self, jobs: Sequence[Job], enough: Callable[[Outcome], bool]) -> tuple[Outcome, ...]:
        """The outcomes of jobs in their order, up to the first that is enough.

        As many run at once as can be, so that some may be done in vain; the answer does not depend on that. What was
        done ahead is looked at before more is begun.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(jobs):
            rest = jobs[len(outcomes) :]
            for outcome in self.run_all(rest[: 1 if rest[0].sha256 in self._ahead else self.workers]):
                outcomes.append(outcome)
                if enough(outcome):
                    return tuple(outcomes)
        return tuple(outcomes)

    def run_ahead(self, jobs: Sequence[Job]) -> None:
        """Does jobs at once that may be asked for next, so that they are there when they are; the likeliest come first.

        With one worker it does nothing, with several no more than there are: so much may be done in vain.
        """
        if self.workers > 1:
            chosen = jobs[: self.workers]
            self.run_all(chosen)
            self._ahead.update(job.sha256 for job in chosen)

    def _tell(self, job: Job, outcome: Outcome, cached: bool) -> None:
        if job.role == "candidate":
            self.counts.add(outcome, cached)
        for listener in self.listeners:
            listener(job, outcome, cached)

    def _finished(self, job: Job) -> Outcome | None:
        folder = self.trial_folder(job.sha256)
        if not (folder / "outcome.json").exists() or not self._kept(job):
            return None
        outcome = read_outcome(folder)
        if outcome.provisional:
            return None
        kept = [e.tensor for e in outcome.tensors if e.status != "pass" and e.kind != "missing-output"]
        needed = kept if job.keep == "failing" else []
        return outcome if self._stored(job, needed, job.sha256) else None

    def _kept(self, job: Job) -> bool:
        """Whether the tensors that a recording job made are still there."""
        return not job.record or self._stored(job, job.outputs or (), "")

    def _stored(self, job: Job, tensors: Iterable[str], scope: str) -> bool:
        return all(self.tensors.has(s, TensorRef(n, scope)) for n in tensors for s in job.samples)

    def _executor(self) -> Executor:
        if self.executor is None:
            raise UserError("this session is open for reading only.")
        return self.executor

    def _begin(self, job: Job) -> None:
        # not indented: that takes four times as long, and of large models these are megabytes a trial
        write_text(self.trial_folder(job.sha256) / "trial.json", dumps(job))
        self.journal.write("trial_started", trial=job.sha256, purpose=job.purpose)

    def _store(self, job: Job, outcome: Outcome) -> Outcome:
        folder, outcome = self.trial_folder(job.sha256), replace(outcome, trial=job.sha256)
        if outcome.engine is not None:
            write_text(folder / "engine.json", dumps(outcome.engine))
        write_text(folder / "outcome.json", dumps(outcome))
        self.note_finished(job.sha256, job.purpose, outcome)
        return outcome

    def note_finished(self, trial: str, purpose: str, outcome: Outcome) -> None:
        """Writes to the journal what came of a trial; its files are there already."""
        self.journal.write(
            "trial_finished",
            trial=trial,
            purpose=purpose,
            status=outcome.status,
            reason=outcome.reason,
            seconds=round(outcome.build_seconds + outcome.run_seconds, 3),
        )

    def trial_folder(self, sha256: str) -> Path:
        return self.folder / "trials" / sha256

    def drop_engines(self) -> None:
        """Deletes the engines that trials kept to be timed."""
        for path in self.folder.glob(f"trials/*/{ENGINE_FILE}"):
            path.unlink()

    def close(self) -> None:
        if self.executor is not None:
            self.executor.close()


@contextmanager
def session_folder(given: Path | None, model: Path, root: Path = DEFAULT_ROOT) -> Iterator[Path]:
    """The folder that is given, else a new one for a session over `model`, which goes again where nothing is put there.

    Raises:
        UserError: it cannot be made.
    """
    if given is not None:
        yield given
        return
    folder = _new_folder(model, root)
    try:
        yield folder
    finally:
        with suppress(OSError):  # they hold something
            folder.rmdir()
            root.rmdir()


def _new_folder(model: Path, root: Path) -> Path:
    """Named by date, time and the model; made at once, so that no other process takes it, too."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", model.stem)[:40] or "model"
    base = root / f"{datetime.now():%Y%m%d-%H%M%S}-{stem}"
    folder, number = base, 2
    with _writable(base):
        root.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                folder, number = base.with_name(f"{base.name}-{number}"), number + 1


def create_folder(folder: Path) -> None:
    """Makes a session's folder. Raises `UserError` when it can't be written."""
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.write_text("")
        probe.unlink()


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the session folder {folder} cannot be written: {error.strerror or error}.",
            "Choose another one with --session DIR.",
        ) from error


def list_sessions(root: Path = DEFAULT_ROOT) -> list[Path]:
    """Session folders under `root`, newest first: by when they were begun, whatever they are called."""
    if not root.is_dir():
        return []
    found = (p for p in root.iterdir() if (p / "case.json").exists())
    return sorted(found, key=lambda p: (_begun(p), p.name), reverse=True)


def _begun(folder: Path) -> str:
    """By its journal; where that says nothing yet, when its case was stored."""
    stored = datetime.fromtimestamp((folder / "case.json").stat().st_mtime, timezone.utc)
    return Session(folder).journal.begun or stored.isoformat(timespec="milliseconds")
