"""Plugin libraries, loaded beside TensorRT."""

from __future__ import annotations

import ctypes.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from trtdebug.backends.tensorrt import plugin_libraries
from trtdebug.backends.tensorrt.plugin_libraries import libraries_obstacle, load_plugin_libraries
from trtdebug.core.errors import BuildFailure

LIBM = ctypes.util.find_library("m")
needs_libm = pytest.mark.skipif(LIBM is None, reason="no shared math library is at hand")


class Registry:
    """A plugin registry; `offered` are the creators that a library hands over when asked."""

    def __init__(self, offered: tuple[str, ...] = ()) -> None:
        self.plugin_creator_list: list[str] = ["own"]
        self.offered, self.asked = offered, 0

    def load_library(self, path: str) -> None:
        self.asked += 1
        self.plugin_creator_list += self.offered


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    found = Registry()
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(get_plugin_registry=lambda: found))
    plugin_libraries._load.cache_clear()
    return found


@needs_libm
def test_a_library_is_loaded_once_a_process(registry: Registry) -> None:
    registry.offered = ("Creator",)
    assert load_plugin_libraries([str(LIBM)]) == ()
    assert load_plugin_libraries([str(LIBM)]) == ()
    assert registry.asked == 1


@needs_libm
def test_a_library_that_registers_nothing_is_named(registry: Registry) -> None:
    assert load_plugin_libraries([str(LIBM)]) == (LIBM,)


def test_what_is_no_library_is_refused(registry: Registry, tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"\x7fELF, but no more")
    with pytest.raises(BuildFailure, match=r"broken.so cannot be loaded: .*(too short|invalid ELF)"):
        load_plugin_libraries([str(broken)])
    with pytest.raises(BuildFailure, match=r"nowhere.so cannot be loaded"):
        load_plugin_libraries([str(tmp_path / "nowhere.so")])


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For child processes, a tensorrt module with an empty registry: TensorRT itself is not here."""
    (tmp_path / "tensorrt.py").write_text(
        "class R:\n    plugin_creator_list = []\n    def load_library(self, path): pass\n"
        "def get_plugin_registry(): return R()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@needs_libm
def test_a_library_that_loads_is_no_obstacle(child: None) -> None:
    assert libraries_obstacle([str(LIBM)]) == ""
    assert libraries_obstacle([]) == ""


def test_a_library_that_does_not_load_is_an_obstacle_in_its_own_words(child: None, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("hello")
    found = libraries_obstacle([str(tmp_path / "text.so")])
    assert found.startswith(f"the plugin library {tmp_path / 'text.so'} cannot be loaded:")


def test_a_library_that_kills_its_process_is_an_obstacle(child: None, tmp_path: Path) -> None:
    (tmp_path / "tensorrt.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    assert libraries_obstacle(["any.so"]) == (
        "the process that loaded any.so ended with SIGSEGV (segmentation fault): it said nothing"
    )
