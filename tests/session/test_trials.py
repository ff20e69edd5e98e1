"""A trial is of one version of its backend, and stays the same wherever its files lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_backend import FakeBackend, job, store_samples

from trtdebug.core.case import BuildOptions, OperatorSource
from trtdebug.core.errors import UserError
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.session.trials import of_latest_version, stored_trials


@pytest.fixture
def session(tmp_path: Path) -> Session:
    store_samples(tmp_path, {"0": {"x": [1.0], "y": [2.0]}})
    return Session(tmp_path, InProcess(tmp_path, {"fake": FakeBackend()}))


def test_another_version_repeats_a_trial_and_the_old_one_stays(session: Session) -> None:
    old, new = job(version="8.6.1 T4"), job(version="10.3.0 T4")
    for asked in (old, new, new):
        session.run(asked)
    assert (session.counts.builds, session.counts.cached) == (2, 1)
    assert [t.job.version for t in stored_trials(session)] == ["8.6.1 T4", "10.3.0 T4"]
    assert [t.name for t in of_latest_version(stored_trials(session))] == [new.sha256]


def test_the_references_runs_are_of_no_version(session: Session) -> None:
    for asked in (job(role="reference"), job(version="1"), job(version="2")):
        session.run(asked)
    assert [t.job.version for t in of_latest_version(stored_trials(session))] == ["", "2"]


def test_they_come_in_the_order_in_which_they_were_finished(session: Session) -> None:
    repeats = [3, 1, 2, 0]
    for number in repeats:
        session.run(job(repeat=number))
    assert [t.job.repeat for t in stored_trials(session)] == repeats


def test_a_damaged_trial_is_named(session: Session) -> None:
    session.run(job())
    (session.trial_folder(job().sha256) / "outcome.json").write_text("{}")
    with pytest.raises(UserError, match=job().sha256):
        stored_trials(session)
    with pytest.raises(UserError, match=job().sha256):  # whoever goes on with the session needs it, too
        session.run(job())


def test_the_places_of_plugins_and_operators_are_no_part_of_it() -> None:
    def asked(folder: str, content: str) -> str:
        operators = (OperatorSource("python", f"{folder}/ops.py", "cc"),)
        contents = {f"{folder}/p.so": content}
        options = BuildOptions(plugins=(f"{folder}/p.so",), operators=operators, contents=contents)
        return replace(job(), options=options).sha256

    assert asked("/here", "aa") == asked("/there", "aa")
    assert asked("/here", "aa") != asked("/here", "bb")
