"""A session whose extension was uninstalled, or is left out: one line says what is missing, and nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import hostile
import numpy as np
import onnx.parser
import pytest
from in_process import Done, trtdebug_in

from trtdebug.graph.load import save_model

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) { e = Exp(x) y = Log(e) }'
)
SOURCE = """
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Localisation, Localizer

class Theirs(EmulatorBackend):
    name = "theirs"

def one_by_one(nodes, test, weights):
    bad = tuple((n,) for n in nodes if test(frozenset([n])) == "fail")
    return Localisation(bad, None, exact=False)

@hookimpl
def trtdebug_backends():
    yield Theirs()

@hookimpl
def trtdebug_localizers():
    yield Localizer("one-by-one", "", run=one_by_one)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the sessions `backend` and `search`, made while the extension was there, and a log of the first."""
    folder = tmp_path_factory.mktemp("gone")
    hostile.add(folder / "site", "gone", SOURCE)
    save_model(MODEL, folder / "m.onnx")
    np.savez(folder / "x.npz", x=np.full((1, 4), 12, np.float32))
    for session, more in (
        ("backend", "--candidate theirs"),
        ("search", "--candidate emulator --localizer one-by-one"),
    ):
        words = f"run m.onnx --fp16 --inputs x.npz {more} --quiet --session {session}"
        done = with_it(folder, *words.split())
        assert done.code == 1, done.stderr
    (folder / "backend.log").write_text(with_it(folder, "log", "backend").stdout)
    return folder


def with_it(folder: Path, *words: str) -> Done:
    return trtdebug_in(folder, *words, **hostile.environment(folder / "site", ["trtdebug-gone"]))


def disabled(folder: Path, *words: str) -> Done:
    return with_it(folder, "-p", "no:gone", *words)


def without_it(folder: Path, *words: str) -> Done:
    return trtdebug_in(folder, *words, TRTDEBUG_NO_PLUGINS="1", TRTDEBUG_CONFIG="")


@pytest.mark.parametrize(
    "command", ["resume backend", "replay backend.log --session again", "reverdict backend --rtol 1"]
)
def test_a_backend_that_is_gone_is_named(folder: Path, command: str) -> None:
    done = without_it(folder, *command.split())
    assert done.code == 2, done.stderr
    assert "the candidate of this session, the backend 'theirs', is not there." in done.stderr
    assert "Install or enable the extension that has it again" in done.stderr


def test_a_backend_whose_extension_is_disabled_is_named_with_what_to_do(folder: Path) -> None:
    done = disabled(folder, "resume", "backend")
    assert done.code == 2, done.stderr
    assert "The extension gone is disabled, and may have it: `trtdebug ext enable gone`" in done.stderr


@pytest.mark.parametrize("command", ["report backend", "show backend", "log backend"])
def test_what_it_found_can_be_read_without_it(folder: Path, command: str) -> None:
    assert without_it(folder, *command.split()).code == 0


def test_a_session_goes_on_when_it_is_back(folder: Path) -> None:
    without_it(folder, "resume", "backend")
    done = with_it(folder, "resume", "backend", "--quiet")
    assert done.code == 1
    assert " 0 built in" in done.stdout


def test_a_search_that_is_gone_is_replaced_and_said_to_be_gone(folder: Path) -> None:
    done = without_it(folder, "resume", "search", "--quiet")
    assert done.code == 1, done.stderr
    said = "the localizer one-by-one is not there any more, and leftmost took its place"
    assert said in " ".join(done.stdout.split())


def test_a_search_whose_extension_is_disabled_is_said_to_be(folder: Path, tmp_path: Path) -> None:
    session = shutil.copytree(folder / "search", tmp_path / "search")
    done = disabled(folder, "resume", str(session), "--quiet")
    assert done.code == 1, done.stderr
    assert "The extension gone is disabled, and may have it" in " ".join(done.stdout.split())
