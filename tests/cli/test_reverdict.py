"""`trtdebug reverdict`, and the tolerances that it shares with `run`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from in_process import jobs_run_here
from seed_models import model_of, node, value, weight
from typer.testing import CliRunner

from trtdebug.api.tolerances import tolerance
from trtdebug.cli.app import app
from trtdebug.cli.tolerances import checked
from trtdebug.core.case import OutputTolerance, Tolerance
from trtdebug.graph.load import save_model


def trtdebug(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reverdict")
    w = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    model = model_of(
        [node("MatMul", ["x", "w"], ["y:0"], "mm")],
        [value("x", [4, 16])],
        [value("y:0", [4, 16])],
        [weight("w", w)],
    )
    save_model(model, folder / "m.onnx")
    line = ("run", folder / "m.onnx", "--fp16", "--session", folder / "s", "--quiet", "--rms", "y:0:0.5")
    with jobs_run_here():
        code, _ = trtdebug(*line)
    assert code == 0
    return folder / "s"


@pytest.mark.parametrize(
    ("words", "code", "verdict"),
    [
        ((), 0, "matches"),
        (("--rtol", "1e-9"), 1, "diverges"),
        (("--rtol", "1e-9", "--atol", "y:0:1"), 0, "matches"),
        (("--rms", "y:0:1e-9"), 1, "diverges"),
    ],
)
def test_exit_code_and_json(words: tuple[str, ...], code: int, verdict: str, session: Path) -> None:
    found, output = trtdebug("reverdict", session, *words, "--json")
    data = json.loads(output)
    assert (found, data["verdict"], data["before"]) == (code, verdict, "matches")
    assert [t["purpose"] for t in data["trials"]] == ["as built", "as built", "forced"]


def test_text(session: Path) -> None:
    _, output = trtdebug("reverdict", session, "--rms", "1e-9")
    assert output.startswith("diverges (before: matches): y:0: relative RMS error ")
    assert "rule: ||c - r|| / ||r|| <= 1e-09\n" in output
    assert "as built" in output
    assert "fail (before: pass)" in output


def test_quantiles(session: Path) -> None:
    _, output = trtdebug("reverdict", session, "--quantiles")
    assert output.count("s0: 50.0% within ") == 3
    _, output = trtdebug("reverdict", session, "--quantiles", "--json")
    found = [q["abs"] for q in json.loads(output)["trials"][0]["quantiles"]["y:0"]["s0"]]
    assert found == sorted(found)
    assert found[-1] > 0


@pytest.mark.parametrize(
    ("words", "words_of_it"),
    [
        (("--rms", "z:1"), "a tolerance names 'z', which is no output of the model."),
        (("--rms", "x"), "'x' is not a number."),
        (("--rms", "y:-1"), "-1 is less than 0."),
        (("--atol", "1", "--atol", "2"), "two values for all outputs."),
        (("--atol", "y:1", "--atol", "y:2"), "'y' is given twice."),
        (("--rtol", ":1"), "':1' has no name before the colon."),
    ],
)
def test_bad_tolerances(words: tuple[str, ...], words_of_it: str, session: Path) -> None:
    code, output = trtdebug("reverdict", session, *words)
    assert code == 2
    assert words_of_it in output


def test_no_session(tmp_path: Path) -> None:
    code, output = trtdebug("reverdict", tmp_path)
    assert code == 2
    assert "is not a session" in output


def test_names_may_hold_colons() -> None:
    given = ["1e-3", "a:0:0.5", "b:inf"]
    assert checked(given) == given
    assert tolerance(given, ["a:0:0.1"], None) == Tolerance(
        1e-3, outputs={"a:0": OutputTolerance(0.5, 0.1), "b": OutputTolerance(float("inf"))}
    )
    assert tolerance(None, None) == Tolerance()
