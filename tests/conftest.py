"""Shared by all tests: the builders of tests/support, and the real models where they are at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

REAL_MODELS = Path(os.environ.get("TRTDEBUG_TEST_MODELS", ROOT / ".." / "shared" / "models"))


@pytest.fixture(scope="session")
def model_path() -> Callable[[str], Path]:
    """Path of a real model by file name; skips the test where it is not there."""

    def find(name: str) -> Path:
        path = REAL_MODELS / name
        if not path.is_file():
            pytest.skip(f"{name} is not at hand")
        return path.resolve()

    return find
