"""Options that commands share are declared once, and are the same in each."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from trtdebug.api.place import Place
from trtdebug.cli import options
from trtdebug.cli.app import app
from trtdebug.cli.options import CaseOptions, RunningOptions, with_options

RUNNING = [f.name for f in fields(RunningOptions)]


def shared(command: str) -> list[tuple[Any, ...]]:
    """What tells the options of running trials of a command apart, in its order."""
    found = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    return [(p.name, p.opts, p.default, p.help, p.envvar) for p in found if p.name in RUNNING]


@pytest.mark.parametrize("command", ["run", "compare", "repro", "replay", "verify"])
def test_commands_that_run_trials_have_the_same_options(command: str) -> None:
    assert [name for name, *_ in shared(command)] == RUNNING
    assert shared(command) == shared("resume")


def test_json_is_declared_once() -> None:
    sources = Path(options.__file__).parent.glob("*.py")
    declared = {p.name for p in sources if '"--json"' in p.read_text(encoding="utf-8")}
    assert declared == {"options.py"}


def test_a_commands_own_parameters_stay_around_them() -> None:
    got: list[Any] = []

    def command(folder: Path, *, options: RunningOptions) -> None:
        got.extend((folder, options))

    cli = typer.Typer()
    cli.command()(with_options(command))
    done = CliRunner().invoke(
        cli, ["f", "--timeout", "3", "--worker-memory", "1K", "--gpus", "all", "--quiet"]
    )
    assert done.exit_code == 0, done.output
    assert got == [Path("f"), RunningOptions(timeout=3, worker_memory=1024, gpus="all", quiet=True)]
    assert got[1].place(Path("s")) == Place(Path("s"), 3, 1024, gpus="all")


def test_a_case_is_told_first_and_in_order() -> None:
    case = CaseOptions(Path("m.onnx"), True, workers=2)
    assert (case.model, case.fp16, case.workers) == (Path("m.onnx"), True, 2)
