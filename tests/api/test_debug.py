"""`trtdebug.debug`: models and inputs as files or in memory, typed results, nothing printed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from in_process import jobs_run_here
from in_process import trtdebug as command
from seed_models import clamped_gemm

import trtdebug
from trtdebug.session.session import Session

CULPRITS = [("norm_pow",), ("norm_var",), ("norm_eps",), ("norm_sqrt",)]


def test_importing_the_package_loads_next_to_nothing() -> None:
    heavy = "('numpy', 'onnx', 'onnxruntime', 'polygraphy', 'rich', 'typer', 'tensorrt', 'pluggy')"
    code = f"import sys, trtdebug, trtdebug.pytest_plugin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pluggy" in done.stdout or done.stdout == "[]\n"  # pytest itself brings pluggy
    assert not {"numpy", "onnx", "typer", "rich"} & set(done.stdout.split("'"))


def test_every_public_name_is_there() -> None:
    assert set(trtdebug.__all__) <= set(dir(trtdebug))
    assert all(getattr(trtdebug, name) for name in trtdebug.__all__)
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        trtdebug.nothing_of_this_name  # noqa: B018


def test_the_cause_and_the_fix_are_typed(result: trtdebug.DebugResult) -> None:
    assert result.verdict == "diverges"
    assert not result.matches
    assert [c.nodes for c in result.culprits] == CULPRITS
    assert result.fix is not None
    assert result.fix.verified
    assert set(result.fix.interventions[0].nodes) == {n for c in CULPRITS for n in c}
    assert str(result).startswith("DIVERGES")
    assert repr(result).startswith("<DebugResult diverges: ")


def test_the_session_is_one_that_the_command_line_reads(result: trtdebug.DebugResult) -> None:
    stored = json.loads((result.session / "report.json").read_text(encoding="utf-8"))
    assert stored == result.report
    assert command("report", result.session).stdout == str(result)


def test_it_prints_nothing_and_the_same_session_repeats_no_trial(
    result: trtdebug.DebugResult, layernorm: onnx.ModelProto, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    with jobs_run_here():
        again = trtdebug.debug(
            layernorm,
            fp16=True,
            candidate="emulator",
            until="fix",
            session=result.session,
            progress=lambda progress: told.append(progress.stage),
        )
    assert again.diagnosis.trials.builds == 0
    assert again.diagnosis.culprits == result.diagnosis.culprits
    assert {"sanity", "fix"} <= set(told)
    assert capfd.readouterr() == ("", "")


def test_inputs_in_memory_are_those_of_the_case(tmp_path: Path) -> None:
    samples = [{"tensor0": np.full((64, 64), value, np.float32)} for value in (0.5, 1.5)]
    with jobs_run_here():
        result = trtdebug.debug(clamped_gemm(), inputs=samples, candidate="emulator", session=tmp_path / "s")
    assert result.report["samples"] == 2
    words = result.report["command"].split()
    assert words[:3] == ["trtdebug", "--no-config", "run"]
    with jobs_run_here():
        done = command(*words[1:], "--session", tmp_path / "again", "--json", "--quiet")
    assert json.loads(done.stdout)["outputs"] == result.report["outputs"]


def test_inputs_may_be_several_paths_and_the_command_repeats_them(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.npz" for name in "ba"]
    for path, value in zip(paths, (0.5, 1.5), strict=True):
        np.savez(path, tensor0=np.full((64, 64), value, np.float32))
    with jobs_run_here():
        result = trtdebug.debug(clamped_gemm(), inputs=paths, candidate="emulator", session=tmp_path / "s")
    assert result.report["samples"] == 2
    words = result.report["command"].split()
    assert [words[at + 1] for at, word in enumerate(words) if word == "--inputs"] == [str(p) for p in paths]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fp61": True}, "there is no argument 'fp61'. Did you mean fp16?"),
        ({"fp16": True, "bf16": True}, "--fp16 and --bf16 exclude each other"),
        ({"inputs": {"y": np.ones(3)}}, "y"),
        ({"inputs": []}, "inputs hold no sample"),
        ({"inputs": 3}, "inputs are of type int"),
        ({"inputs": [np.ones(3)]}, "a sample is no mapping"),
        ({"inputs": {"tensor0": np.array([object()])}}, "elements of type object"),
        ({"inputs": {"tensor0": [[1, 2], [3]]}}, "the input 'tensor0' is not to be had as an array: "),
        ({"input_shapes": {"tensor0": "1,3"}}, "input_shapes={'tensor0': '1,3'} is not understood"),
        ({"val_range": 3}, "val_range=3 is not understood"),
        ({"val_range": (1, 0)}, "LOW <= HIGH"),
        ({"atol": -1}, "-1 is less than 0"),
        ({"rtol": {"nope": 1}}, "a tolerance names 'nope'"),
        ({"builds": 0}, "it takes a whole number of 1 or more"),
        ({"mark": "y"}, "it takes several names, in a list"),
        ({"plugins": "lib.so"}, "it takes several paths, in a list"),
        ({"candidate": "tensorflow"}, "tensorflow"),
    ],
)
def test_bad_arguments_are_one_error_and_leave_nothing(
    arguments: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with jobs_run_here(), pytest.raises(trtdebug.UserError) as error:
        trtdebug.debug(clamped_gemm(), session="s", **arguments)  # type: ignore[arg-type]
    assert said in str(error.value)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("function", [trtdebug.debug, trtdebug.compare, trtdebug.assert_matches])
@pytest.mark.parametrize("model", [3, None, b"model.onnx", onnx.GraphProto()])
def test_what_is_no_model_is_told_what_may_be_one(
    function: Callable[..., object], model: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(trtdebug.UserError) as error:
        function(model)
    assert error.value.message == f"model is of type {type(model).__name__}."
    assert error.value.hint.startswith("Give the path of an ONNX file, or an onnx.ModelProto")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argument", ["session", "fix_folder"])
def test_what_is_no_path_is_told(argument: str) -> None:
    with pytest.raises(trtdebug.UserError, match=f"{argument} is of type int"):
        trtdebug.debug(clamped_gemm(), **{argument: 3})  # type: ignore[arg-type]


def test_no_config_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trtdebug.toml").write_text('fp16 = true\nrequired_plugins = ["trtdebug-nowhere"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRTDEBUG_CONFIG", raising=False)
    onnx.save(clamped_gemm(), "m.onnx")
    with jobs_run_here():
        assert "trtdebug-nowhere" in command("run", "m.onnx", "--session", "by-command").stderr
        result = trtdebug.debug("m.onnx", candidate="emulator", session="s")
    assert result.report["candidate"]["options"]["precision"] == "fp32"


def test_the_command_that_it_tells_repeats_the_case_whatever_a_config_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(clamped_gemm(), tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    with jobs_run_here():
        result = trtdebug.debug("m.onnx", candidate="emulator", session="s", rtol=0.125)
        (tmp_path / "trtdebug.toml").write_text("fp16 = true\nseed = 7\nrtol = 0.5\n")
        done = command(*shlex.split(result.report["command"])[1:], "--session", "again", "--quiet")
    assert done.code == 0, done
    first, again = (Session(tmp_path / name).case() for name in ("s", "again"))
    assert again == first


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(trtdebug.UserError, match="not empty and no session"):
        trtdebug.debug(clamped_gemm(), session=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
