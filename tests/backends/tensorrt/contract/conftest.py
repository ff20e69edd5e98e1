"""The names of real TensorRT modules: 8.6.0 as recorded, the others asked in a child process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import bindings
import pytest

HERE = Path(__file__).parent
RECORDED = HERE / "tensorrt-8.6.0.json"
LISTING = HERE / "listing.py"


@dataclass(frozen=True)
class Names:
    """What `listing.py` finds in a TensorRT module."""

    version: str
    members: dict[str, list[str]]
    read_only: dict[str, list[str]]

    def has(self, path: str) -> bool:
        """Whether "Class", "function", "Class.attribute" or "Enum.MEMBER" exists."""
        owner, _, name = path.rpartition(".")
        return name in self.members.get(owner, ()) or (not owner and name in self.members)

    def takes(self, path: str) -> bool:
        """Whether "Class.attribute" may be assigned."""
        owner, _, name = path.rpartition(".")
        return name not in self.read_only.get(owner, ())


@pytest.fixture(scope="session")
def child(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bindings.Child]:
    """A Python that has the `tensorrt` of a version."""

    @cache
    def start(version: str) -> bindings.Child:
        folder = tmp_path_factory.mktemp("tensorrt")
        return bindings.rtx(folder) if version == bindings.RTX else bindings.bindings(version, folder)

    return start


@pytest.fixture(scope="session")
def names(child: Callable[[str], bindings.Child]) -> Callable[[str], Names]:
    """The names of a version."""

    @cache
    def find(version: str) -> Names:
        recorded = version == "8.6.0"
        text = RECORDED.read_text(encoding="utf-8") if recorded else child(version).run(str(LISTING)).stdout
        content: dict[str, Any] = json.loads(text)
        return Names(content["version"], content["members"], content["read_only"])

    return find
