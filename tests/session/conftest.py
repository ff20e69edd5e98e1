"""A worker, and backends that trouble it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_backend import store_samples
from trouble import LIMITS, X, install

from trtdebug.session.executor import WorkerProcess


@pytest.fixture
def extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The extension is installed here, and no other is loaded."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-trouble")
    return tmp_path / "site"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session's folder with one sample."""
    store_samples(tmp_path / "session", {"0": {"x": X, "y": X + 1}})
    return tmp_path / "session"


@pytest.fixture
def worker(extension: Path, session: Path) -> Iterator[WorkerProcess]:
    executor = WorkerProcess(session, LIMITS)
    yield executor
    executor.close()
