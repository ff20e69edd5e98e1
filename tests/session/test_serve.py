"""What a worker answers."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pytest
from fake_backend import FakeBackend, job

from trtdebug.backends.base import Support
from trtdebug.core.jsonable import loads, to_data
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session import serve
from trtdebug.session.measuring import Metrics


def test_a_backend_that_the_worker_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_redirect", lambda log: None)
    request = {"job": to_data(job()), "folder": str(tmp_path), "log": os.devnull}
    answers = io.StringIO()
    serve.serve([json.dumps(request)], answers, {}, Metrics(), {})
    outcome = loads(answers.getvalue().splitlines()[1], Outcome)
    assert (outcome.status, outcome.provisional) == ("untestable", True)
    assert outcome.reason.startswith(f"a worker has no backend {job().backend!r}: the extension that has it")


def test_a_disk_that_is_full_says_nothing_of_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Outcome:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x.npy")

    monkeypatch.setattr(serve, "_redirect", lambda log: None)
    monkeypatch.setattr(serve, "perform", full)
    request = {"job": to_data(job()), "folder": str(tmp_path), "log": os.devnull}
    answers = io.StringIO()
    serve.serve([json.dumps(request)], answers, {job().backend: FakeBackend()}, Metrics(), {})
    outcome = loads(answers.getvalue().splitlines()[1], Outcome)
    assert outcome == Outcome("untestable", Signature("disk"), "No space left on device", provisional=True)


@pytest.mark.parametrize("full", ["the log cannot be made", "the log cannot be written"])
def test_so_it_is_where_the_log_finds_no_room(
    full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker lives on: that it had to be replaced would say the wrong thing."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def broken(*_: object) -> Outcome:
        raise ValueError("of the backend")

    monkeypatch.setattr(serve, "_redirect", no_room if "made" in full else lambda log: None)
    monkeypatch.setattr(serve, "perform", broken)
    monkeypatch.setattr(serve.traceback, "print_exc", no_room)
    request = {"job": to_data(job()), "folder": str(tmp_path), "log": os.devnull}
    answers = io.StringIO()
    serve.serve([json.dumps(request)], answers, {job().backend: FakeBackend()}, Metrics(), {})
    outcome = loads(answers.getvalue().splitlines()[1], Outcome)
    assert outcome == Outcome("untestable", Signature("disk"), "No space left on device", provisional=True)


def test_a_parser_whose_log_finds_no_room_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(log: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log))

    monkeypatch.setattr(serve, "_redirect", no_room)
    request = {"question": {}, "folder": str(tmp_path), "log": os.devnull}
    answers = io.StringIO()
    serve.serve([json.dumps(request)], answers, {}, Metrics(), {})
    told = loads(answers.getvalue().splitlines()[1], Support)
    assert (told.parsed, told.errors[0].message) == (None, "No space left on device")
