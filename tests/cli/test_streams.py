"""Whatever stdout and stderr lead to, the command does its work and its exit code tells the verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from command_line import ROOT, trtdebug
from seed_models import identity_add_identity, model_of, node, value, weight

from trtdebug.graph.load import save_model


def overflowing() -> onnx.ModelProto:
    return model_of(
        [node("Mul", ["x", "big"], ["a"], "overflow"), node("Div", ["a", "big"], ["y"], "back")],
        [value("x", [1, 8])],
        [value("y", [1, 8])],
        [weight("big", 1e6)],
    )


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in which `trtdebug` is the command line under test."""
    program = f'set -o pipefail; trtdebug() {{ "{sys.executable}" -m trtdebug --no-plugins "$@"; }}; {line}'
    paths = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    return subprocess.run(
        ["bash", "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bad.onnx, which diverges in FP16, and its finished session s."""
    folder = tmp_path_factory.mktemp("streams")
    save_model(overflowing(), folder / "bad.onnx")
    assert shell("trtdebug run bad.onnx --fp16 --session s --quiet", folder).returncode == 1
    return folder


@pytest.mark.parametrize(
    ("session", "line"),
    [
        ("s", "2>&1 | head -1"),
        ("s", "| true"),
        ("s", "--json | head -c 5"),
        ("new", ">&-"),
        ("s", "2>&- >/dev/null"),
        ("s", "2</dev/null"),
        ("none-open", "2>&- >&- <&-"),
    ],
)
def test_the_verdict_is_the_exit_code_whoever_reads(session: str, line: str, home: Path) -> None:
    """Else `set -o pipefail` would take a model that diverges for one that matches. New sessions start workers."""
    done = shell(f"trtdebug run bad.onnx --fp16 --session {session} {line}", home)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("stderr", ["2>&-", "2</dev/null", "2>/dev/full"])
def test_an_error_that_nobody_can_be_told_keeps_its_exit_code(stderr: str, tmp_path: Path) -> None:
    for line in ("run nowhere.onnx", "run --nonsense", "nonsense"):
        assert shell(f"trtdebug {line} {stderr}", tmp_path).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_verdict_needs_no_stderr(home: Path) -> None:
    """Its progress is no result: where that finds no room, the session goes on."""
    done = shell("trtdebug run bad.onnx --fp16 --session roomless --json 2>/dev/full", home)
    assert (done.returncode, '"verdict": "diverges"' in done.stdout) == (1, True)


def test_stdout_that_is_open_for_reading_only_is_as_good_as_closed(home: Path) -> None:
    done = shell("trtdebug report s 1</dev/null", home)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_one_line(home: Path) -> None:
    done = shell("trtdebug report s >/dev/full", home)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: standard output: No space left on device."
    assert "Traceback" not in done.stderr


def test_a_file_that_ends_too_early_is_one_line_and_the_session_goes_on(home: Path) -> None:
    """As on a disk that fills up in the middle: no file may be larger than 8 KiB here."""
    done = shell("ulimit -f 8; trtdebug run bad.onnx --fp16 --session full --quiet", home)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "error: a file cannot be written: File too large."
    assert shell("trtdebug resume full --quiet", home).returncode == 1


def test_names_that_the_encoding_does_not_have_are_escaped(tmp_path: Path) -> None:
    """As in a pipe on Windows, whose code page has 256 characters."""
    model = identity_add_identity()
    model.graph.node[0].name = "schneemann \N{SNOWMAN}"
    save_model(model, tmp_path / "model.onnx")
    done = trtdebug("inspect", "model.onnx", "--nodes", cwd=tmp_path, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"schneemann \u2603: Identity" in done.stdout
