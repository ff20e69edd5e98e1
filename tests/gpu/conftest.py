"""Tests here need TensorRT and a GPU, and are skipped elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.backends.tensorrt.probe import probe

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if HERE in item.path.parents and item.get_closest_marker("gpu")]
    available = probe() if mine else None
    if available is not None and not available.ok:
        for item in mine:
            item.add_marker(pytest.mark.skip(reason=available.reason))
