"""--tactic-sources on a command line: a part of the case, and in the command that repeats it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trtdebug.cli.options import CaseOptions, with_options
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps, loads


def given(*words: str) -> CaseOptions:
    """What a command with the shared options gets for these words behind the model."""
    got: list[CaseOptions] = []

    def command(options: CaseOptions) -> None:
        got.append(options)

    app = typer.Typer()
    app.command()(with_options(command))
    done = CliRunner().invoke(app, ["m.onnx", *words])
    assert done.exit_code == 0, done.output
    return got[0]


@pytest.mark.parametrize(
    "words",
    [
        ("--tactic-sources=-CUBLAS,-CUBLAS_LT,-CUDNN",),
        ("--tactic-sources", "-CUBLAS,-CUBLAS_LT,-CUDNN"),
        ("--tactic-sources", "-CUBLAS, -CUBLAS_LT ,-CUDNN"),
    ],
)
def test_it_is_a_build_option(words: tuple[str, ...]) -> None:
    options = given(*words)
    assert options.request().options == BuildOptions(tactic_sources="-CUBLAS,-CUBLAS_LT,-CUDNN")
    again = shlex.split(options.request().command)
    assert again[:3] == ["trtdebug", "run", "m.onnx"]
    assert given(*again[3:]) == options


def test_it_is_part_of_the_identity_and_of_the_record() -> None:
    options = BuildOptions(tactic_sources="-CUDNN")
    assert options != BuildOptions()
    assert loads(dumps(options), BuildOptions) == options
    assert options.for_reference == BuildOptions()


@pytest.mark.parametrize("value", ["", "-", "cublas;", "-CUBLAS,,", "+CUBLAS"])
def test_what_is_no_list_of_names_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="--tactic-sources takes names to use, or -NAMES to drop, not"):
        CaseOptions(Path("m.onnx"), tactic_sources=value).request()
