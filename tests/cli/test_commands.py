"""What all commands do, and extensions' own: by entry point, shown in the help without an import, or by the hook."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import trtdebug

MODULE = """
import typer
from trtdebug.plugins.spec import hookimpl

print("imported")
sub = typer.Typer()

@sub.command()
def one(): print("one")

@sub.command()
def two(): print("two")

def hello(name: str = "you"):
    print("hello", name)

def broken():
    raise RuntimeError("boom")

class Hooks:
    @hookimpl
    def trtdebug_commands(self, app):
        app.command("by-hook")(lambda: print("hooked"))
        app.command("hook-broken")(broken)

hooks = Hooks()
"""
POINTS = """
[trtdebug]
greeting = trtdebug_greeting:hooks
[trtdebug.commands]
hello = trtdebug_greeting:hello
sub = trtdebug_greeting:sub
broken = trtdebug_greeting:broken
lost = trtdebug_greeting:lost
run = trtdebug_greeting:hello
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which the distribution trtdebug-greeting lies installed."""
    info = tmp_path / "trtdebug_greeting-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-greeting\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "trtdebug_greeting.py").write_text(MODULE)
    return tmp_path


def test_an_option_of_one_value_is_refused_where_it_is_given_twice(tmp_path: Path) -> None:
    done = trtdebug("run", "m.onnx", "--seed", "1", "--quiet", "--quiet", "--seed=2", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Invalid value for '--seed': it is given twice")


def test_help_shows_them_and_imports_none(installed: Path) -> None:
    done = trtdebug("--help", cwd=installed, PYTHONPATH=str(installed))
    assert "Commands of extensions:" in done.stdout
    assert "hello from trtdebug-greeting 1.2" in " ".join(done.stdout.split())
    assert "imported" not in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["hello", "--name", "Ada"], "hello Ada"),
        (["sub", "two"], "two"),
        (["by-hook"], "hooked"),
    ],
)
def test_they_run(installed: Path, line: list[str], said: str) -> None:
    done = trtdebug(*line, cwd=installed, PYTHONPATH=str(installed))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, said), done.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (
            ["broken"],
            3,
            "internal error in the command 'broken' of trtdebug-greeting 1.2: RuntimeError: boom",
        ),
        (
            ["hook-broken"],
            3,
            "internal error in the command 'hook-broken' of trtdebug_greeting: RuntimeError",
        ),
        (["lost"], 2, "error: the command 'lost' of trtdebug-greeting 1.2 does not load: AttributeError"),
        (
            ["--no-plugins", "hello"],
            2,
            "error: the command 'hello' is one of trtdebug-greeting 1.2, which is disabled.",
        ),
        (["-p", "no:trtdebug-greeting", "by-hook"], 2, "error: No such command 'by-hook'"),
        (["run"], 2, "error: Missing argument 'model'"),  # the built-in one
    ],
)
def test_what_goes_wrong_is_one_line(installed: Path, line: list[str], code: int, said: str) -> None:
    done = trtdebug(*line, cwd=installed, PYTHONPATH=str(installed))
    assert done.returncode == code
    said_last = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert said_last[0].startswith(said)
    assert "Traceback" not in done.stderr
