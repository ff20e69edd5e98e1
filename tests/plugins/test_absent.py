"""What is not there since its extension failed, or is disabled: the message says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trtdebug.api.place import Place, start_executor
from trtdebug.core.errors import UserError
from trtdebug.plugins.absent import why_absent
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.session import Session
from trtdebug.stages.inputs import read_samples
from trtdebug.stages.opening.backends import find_backend, need_backends

READER = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import InputSource
@hookimpl
def trtdebug_inputs():
    yield InputSource("foo", "", matches=lambda path: path.suffix == ".foo", load=lambda path: [{"x": [1]}])
"""
CHECK = """
from trtdebug.plugins.spec import hookimpl
@hookimpl
def trtdebug_checks():
    1 / 0
"""
NEEDS: dict[str, Callable[[Any, Path], object]] = {
    "backend": lambda manager, folder: find_backend("theirs", manager, "candidate"),
    "session's backend": lambda manager, folder: need_backends(manager, candidate="theirs"),
    "executor": lambda manager, folder: start_executor(
        Session(folder), manager, Place(folder, executor="theirs")
    ),
    "inputs": lambda manager, folder: read_samples(folder, manager),
}


@pytest.mark.parametrize("need", NEEDS.values(), ids=NEEDS)
def test_an_extension_that_cannot_be_imported_is_named(extension, tmp_path, need):
    manager = extension("theirs", "import nowhere")
    with pytest.raises(UserError) as error:
        need(manager, tmp_path)
    said = (
        "The extension theirs (trtdebug-theirs 1.2) failed: ModuleNotFoundError: No module named 'nowhere'."
    )
    assert said in error.value.message


@pytest.mark.parametrize("need", NEEDS.values(), ids=NEEDS)
def test_an_extension_that_is_disabled_is_named_with_how_to_enable_it(extension, tmp_path, need):
    extension("theirs", "import nowhere")
    with pytest.raises(UserError) as error:
        need(PluginManager.load(disabled=["trtdebug-theirs"]), tmp_path)
    said = "The extension theirs is disabled, and may have it: `trtdebug ext enable trtdebug-theirs`, or drop"
    assert said in error.value.message
    assert "nowhere" not in error.value.message  # it is not loaded to find out


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("TRTDEBUG_NO_PLUGINS", "1", "drop --no-plugins or TRTDEBUG_NO_PLUGINS"),
        ("TRTDEBUG_LOAD_PLUGINS", "", "name it in TRTDEBUG_LOAD_PLUGINS"),
    ],
)
def test_what_the_environment_leaves_out_is_named_in_one_sentence(
    extension, monkeypatch, variable, value, remedy
):
    extension("ours", "")
    extension("theirs", "")
    monkeypatch.setenv(variable, value)
    said = why_absent(PluginManager.load(), "backends")
    assert said.startswith(" The extensions ")
    assert {"ours", "theirs"} <= set(said.removeprefix(" The extensions ").partition(" are ")[0].split(", "))
    assert said.endswith(f" are disabled, and may have it: {remedy}.")


def test_a_built_in_plugin_that_is_left_out_is_named_too(extension):
    manager = PluginManager.load(builtins=["trtdebug.stages.inputs"], disabled=["inputs"])
    assert "extension inputs is disabled, and may have it: `trtdebug ext enable inputs`" in why_absent(
        manager, "inputs"
    )


def test_a_reader_that_broke_is_named(extension, tmp_path):
    (tmp_path / "a.foo").touch()
    with pytest.raises(
        UserError, match=r"extension theirs \(trtdebug-theirs 1.2\) failed: .* has to load a list"
    ):
        read_samples(tmp_path / "a.foo", extension("theirs", READER))


def test_one_that_failed_in_another_hook_is_not(extension):
    manager = extension("theirs", CHECK)
    assert manager.checks() == {}
    assert "theirs" not in why_absent(manager, "backends")
