"""The TensorRT that is installed has the names that the contract tests rely on without a GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trtdebug.backends.tensorrt import compat

pytestmark = pytest.mark.gpu

CONTRACT = Path(__file__).parents[1] / "backends" / "tensorrt" / "contract"


@pytest.fixture(scope="module")
def live() -> dict[str, Any]:
    """The listing of the installed TensorRT."""
    command = [sys.executable, str(CONTRACT / "listing.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def test_the_recorded_names_are_those_of_the_live_module(live) -> None:
    path = CONTRACT / f"tensorrt-{live['version']}.json"
    if not path.is_file():
        pytest.skip(f"no names of TensorRT {live['version']} are recorded")
    recorded = json.loads(path.read_text(encoding="utf-8"))
    assert recorded["members"] == live["members"]
    assert recorded == live


def test_the_table_holds_for_the_live_module(live) -> None:
    def exists(path: str) -> bool:
        owner, _, name = path.rpartition(".")
        return name in live["members"].get(owner, ()) or path in live["members"]

    for capability, found in compat.CAPABILITIES.items():
        assert {path: exists(path) for path in found.api} == dict.fromkeys(found.api, compat.has(capability))
    wanted = [f"{owner}.{name}".lstrip(".") for owner, names in compat.ALWAYS.items() for name in names]
    assert [path for path in wanted if not exists(path)] == []
