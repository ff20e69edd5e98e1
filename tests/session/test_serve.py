"""What a worker answers."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from fake_backend import job

from trtdebug.core.jsonable import loads, to_data
from trtdebug.core.outcome import Outcome
from trtdebug.session import serve


def test_a_backend_that_the_worker_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_redirect", lambda log: None)
    request = {"job": to_data(job()), "folder": str(tmp_path), "log": os.devnull}
    answers = io.StringIO()
    serve.serve([json.dumps(request)], answers, {}, {}, {})
    outcome = loads(answers.getvalue().splitlines()[1], Outcome)
    assert (outcome.status, outcome.provisional) == ("untestable", True)
    assert outcome.reason.startswith(f"a worker has no backend {job().backend!r}: the extension that has it")
