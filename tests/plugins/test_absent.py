"""What is not there since its extension failed: the message says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trtdebug.api.place import Place, start_executor
from trtdebug.core.errors import UserError
from trtdebug.plugins.absent import failures
from trtdebug.session.session import Session
from trtdebug.stages.backends import find_backend, need_backends
from trtdebug.stages.inputs import read_samples

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
    assert error.value.message.endswith(
        "The extension theirs (trtdebug-theirs 1.2) failed: ModuleNotFoundError: No module named 'nowhere'."
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
    assert failures(manager, "backends") == ""
