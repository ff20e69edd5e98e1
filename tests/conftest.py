"""Shared by all tests: the builders of tests/support, and the real models where they are at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
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


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """onnxruntime starts and ends threads for each session; small models, thousands of them, are faster without."""
    import onnxruntime

    class OneThread(onnxruntime.SessionOptions):
        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "SessionOptions", OneThread)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Five times a trial, for a power cut, which no test tries. Processes that tests start do wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_command_tree() -> Iterator[None]:
    """typer builds all commands anew for each line that its runner is given; once is enough."""
    import typer.testing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` are skipped where TensorRT does not work."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    from trtdebug.backends.tensorrt.probe import probe

    available = probe()
    for item in marked if not available.ok else []:
        item.add_marker(pytest.mark.skip(reason=available.reason))
