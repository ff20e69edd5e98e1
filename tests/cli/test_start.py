"""The command line starts quickly, and its help is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import trtdebug
from typer.testing import CliRunner

from trtdebug import __version__
from trtdebug.cli.app import app

HEAVY = ("numpy", "onnx", "onnxruntime", "tensorrt", "rich", "cattrs", "polygraphy")


@pytest.mark.parametrize("line", [["--help"], ["run", "--help"], ["ext", "--help"], ["--version"]])
def test_no_heavy_import_for_help(line: list[str]) -> None:
    program = (
        "import sys; sys.argv = ['trtdebug', *sys.argv[1:]]\n"
        "from trtdebug.cli.app import main\n"
        "try: main()\n"
        f"finally: print('loaded:', [m for m in {HEAVY} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *line], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n"), done.stdout
    assert done.stderr == ""


def test_help_names_every_command_in_full() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    for name in ("run", "check", "compare", "bisect", "fix", "repro", "inspect", "resume", "log", "status"):
        assert f"\n  {name} " in text
    assert "..." not in text.partition("Commands:")[2]


def test_options_are_grouped() -> None:
    text = CliRunner().invoke(app, ["run", "--help"]).stdout
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "Arguments:",
        "Build:",
        "Case:",
        "Inputs:",
        "Verdict:",
        "Session and output:",
        "Options:",
    ]


def test_version(tmp_path: Path) -> None:
    done = trtdebug("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"trtdebug {__version__}\n", "")


@pytest.mark.parametrize("line", [["run", "model.onnx", "--fp16"], ["--help"]])
def test_a_python_without_docstrings_is_told(line: list[str], tmp_path: Path) -> None:
    """Polygraphy's import ends in a TypeError there."""
    done = trtdebug(*line, cwd=tmp_path, PYTHONOPTIMIZE="2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Python runs without docstrings (-OO, or PYTHONOPTIMIZE=2)")
    assert done.stderr.count("\n") == 2


def test_a_python_without_assertions_will_do(tmp_path: Path) -> None:
    done = trtdebug("--version", cwd=tmp_path, PYTHONOPTIMIZE="1")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_arguments_is_help() -> None:
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert "Commands:" in done.output


def test_an_interrupt_before_the_command_begins_is_told_by_the_exit_code_alone() -> None:
    program = (
        "from trtdebug.cli import start\n"
        "def interrupted(words): raise KeyboardInterrupt\n"
        "start.start_early = interrupted\n"
        "start.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
