"""A session's trials, read back from its folder one by one: what was asked, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trtdebug.core.outcome import EngineInfo
from trtdebug.session.journal import Journal
from trtdebug.session.trial_files import read_engine, read_job, read_outcome


@dataclass(frozen=True)
class Trial:
    """A finished trial. trial.json and outcome.json are read when they are asked for; both may be large.

    Attributes:
        stage: of the pipeline, in which it was done; empty where the journal does not tell.
    """

    folder: Path
    purpose: str
    status: str
    reason: str
    seconds: float
    time: str
    stage: str

    @property
    def sha256(self) -> str:
        return self.folder.name

    @cached_property
    def job(self) -> Mapping[str, Any]:
        """What was asked: a `Job`, as stored."""
        return _read(self.folder / "trial.json")

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What came of it: an `Outcome`, as stored."""
        return _read(self.folder / "outcome.json")

    @property
    def engine(self) -> EngineInfo | None:
        """What was built; None where nothing was."""
        return read_engine(self.folder)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Raises `UserError` where what is done with the trial fails, and its files turn out to be damaged."""
        try:
            yield
        except (AttributeError, LookupError, OSError, TypeError, ValueError):
            read_job(self.folder)
            read_outcome(self.folder)
            raise

    def of_kinds(self, *kinds: str) -> bool:
        """Whether its interventions are of these kinds only."""
        return all(i["kind"] in kinds for i in self.job["interventions"])


def read_trials(session: Path) -> Iterator[Trial]:
    """Finished trials whose files are there, each once, in the order in which they were done."""
    stage, seen = "", set()
    for event in Journal(session / "journal.jsonl").read():
        if event["event"] == "stage_started":
            stage = str(event["stage"])
        if event["event"] != "trial_finished" or event["trial"] in seen:
            continue
        seen.add(event["trial"])
        folder = session / "trials" / str(event["trial"])
        if (folder / "trial.json").exists() and (folder / "outcome.json").exists():
            yield Trial(
                folder,
                str(event["purpose"]),
                str(event["status"]),
                str(event["reason"]),
                float(event["seconds"]),
                str(event["time"]),
                stage,
            )


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
