"""The Python API takes what the command line takes, and tells the command that says the same."""

from __future__ import annotations

import inspect
import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest
import typer

from trtdebug.api.arguments import CaseArguments, as_options
from trtdebug.api.request import request_of
from trtdebug.cli.app import app
from trtdebug.cli.options import CaseOptions

MODEL = Path("m.onnx")
ALL = {
    "fp16": True,
    "tf32": False,
    "reference": "emulator",
    "candidate": "onnxruntime",
    "candidate_model": "other.onnx",
    "input_shapes": {"x:0": (1, 3), "s": ()},
    "min_shapes": {"x:0": (1, 1)},
    "opt_shapes": {"x:0": (1, 3)},
    "max_shapes": {"x:0": (2, 8)},
    "val_range": {"x:0": (-1, 1), "s": (0, 1e-7)},
    "seed": 3,
    "atol": {"y:0": 0.1, "z": 1e-9},
    "rtol": 0.2,
    "rms": {"z": 0.3},
    "builds": 5,
    "fix_builds": 1,
    "good_tactics": "t.json",
    "plugins": ["a.so", "b.so"],
    "operators": ["o.py"],
    "calibration_cache": "c.cache",
    "opt_level": 0,
    "tactic_sources": "-CUBLAS,-CUDNN",
    "mark": ["t1", "t2"],
}


def parsed(command: str) -> CaseOptions:
    """The options of a command line of `trtdebug --no-config run`."""
    *before, word = shlex.split(command)[:3]
    assert (before, word) == (["trtdebug", "--no-config"], "run")
    words = shlex.split(command)[3:]
    root = typer.main.get_command(app)
    context = root.make_context("trtdebug", [], resilient_parsing=True)
    given = root.commands["run"].make_context("run", words, parent=context).params
    return CaseOptions(**{f.name: given[f.name] for f in fields(CaseOptions)})


@pytest.mark.parametrize(
    "arguments", [{}, ALL, {"bf16": True, "mark": "all"}, {"int8": True, "val_range": (0, 2), "atol": 1}]
)
def test_the_command_line_of_a_case_is_the_same_case(arguments: dict[str, object]) -> None:
    request = request_of(MODEL, as_options(arguments), ("--no-config",))
    assert replace(parsed(request.command).request(), command=request.command) == request


def test_no_option_of_the_command_line_is_missing() -> None:
    theirs = {f.name for f in fields(CaseOptions)} - {"model", "session", "json", "quiet"}
    other_names = {"no_tf32": "tf32", "mark_all": "mark"}
    assert {other_names.get(name, name) for name in theirs} == set(CaseArguments.__annotations__)


def test_every_argument_is_documented() -> None:
    text = inspect.getdoc(CaseArguments) or ""
    assert [n for n in CaseArguments.__annotations__ if f"\n    {n}: " not in text] == []
