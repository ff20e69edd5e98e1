"""A fixture around `debugged`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from trtdebug.api.result import DebugResult
from trtdebug.testing.running import debugged


@pytest.fixture
def trtdebug_session(tmp_path: Path) -> Callable[..., DebugResult]:
    """`trtdebug_session(model, sample, candidate, plugins=[module])`: `debugged`, its session in the test's folder."""
    return partial(debugged, folder=tmp_path / "trtdebug")
