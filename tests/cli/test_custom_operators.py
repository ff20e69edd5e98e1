"""`--operators` on the command line: workers, exit codes, sessions."""

from __future__ import annotations

import json

import command_line
import numpy as np
import onnx
import pytest
from custom_models import CUBE, SWISH, cube_model, function_file, swish_model
from in_process import jobs_run_here, trtdebug

EMULATOR = ("--candidate", "emulator", "--fp16", "--quiet")


@pytest.fixture(autouse=True, scope="module")
def here():
    with jobs_run_here():
        yield


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder: models and operators files."""
    monkeypatch.chdir(tmp_path)
    onnx.save(swish_model(), tmp_path / "swish.onnx")
    onnx.save(cube_model(), tmp_path / "cube.onnx")
    (tmp_path / "swish.py").write_text(SWISH)
    (tmp_path / "cube.py").write_text(CUBE)
    function_file(tmp_path / "functions.onnx")
    return tmp_path


@pytest.mark.parametrize("file", ["swish.py", "functions.onnx"])
def test_compare_shows_every_layer(place, file):
    done = trtdebug("compare", "swish.onnx", "--operators", file, *EMULATOR, "--json")
    assert done.code == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["op"] for row in rows] == ["MatMul", "Swish", "Mul", "Swish", "Tanh"]


def test_without_an_implementation_nothing_can_be_compared(place):
    done = trtdebug("compare", "swish.onnx", *EMULATOR)
    assert done.code == 4
    assert "no implementation of my.ops::Swish (node 'swish'). Give one with --operators FILE" in done.stderr
    wrong = trtdebug("run", "swish.onnx", "--operators", "cube.py", *EMULATOR, "--json")
    assert wrong.code == 4
    assert json.loads(wrong.stdout)["verdict"] == "untestable"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("gone.py", "there is no operators file"),
        ("swish.onnx", "holds no operators"),
        ("notes.txt", "is no file that"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_usage_error(place, file, said):
    (place / "notes.txt").write_text("")
    done = trtdebug("run", "swish.onnx", "--operators", file, *EMULATOR)
    assert done.code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_session_goes_on_with_the_same_file_only(place):
    words = ("compare", "swish.onnx", "--operators", "swish.py", *EMULATOR, "--session", "s")
    assert trtdebug(*words).code == 0
    (place / "swish.py").write_text(SWISH + "\n# changed\n")
    done = trtdebug(*words)
    assert done.code == 2
    assert "is of another case" in done.stderr


def test_a_session_is_not_resumed_with_another_file(place):
    words = ("run", "cube.onnx", "--operators", "cube.py", *EMULATOR, "--session", "s")
    assert trtdebug(*words).code in (0, 1)
    with (place / "cube.py").open("a") as file:
        file.write("# changed")
    done = trtdebug("resume", "s")
    assert done.code == 2
    assert f"{place / 'cube.py'} is not what it was in the session s" in done.stderr


def test_run_finds_the_node_and_writes_a_repro_that_fails(place):
    words = ("run", "cube.onnx", "--operators", "cube.py", "--val-range", "[50,60]", *EMULATOR, "--json")
    done = command_line.trtdebug(*words, cwd=place)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["first_divergence"]["node"] == "cube"
    assert report["repro"]["verified"]
    assert any(fix["verified"] for fix in report["fixes"])


def test_a_fix_is_verified_with_operators_that_lie_elsewhere(place):
    words = (
        "fix",
        "cube.onnx",
        "--operators",
        "cube.py",
        "--val-range",
        "[50,60]",
        *EMULATOR,
        "--session",
        "s",
    )
    assert trtdebug(*words).code == 1
    (place / "cube.py").rename(place / "moved.py")
    (place / "broken.py").write_text(CUBE.replace("return", "raise ValueError('it is this one'); return"))
    broken = trtdebug("verify", "s/fix", "--operators", "broken.py", "--inputs", inputs(place), "--quiet")
    assert broken.code == 4
    assert "it is this one" in broken.stdout
    given = ("--operators", "moved.py", "--inputs", inputs(place), "--quiet")
    done = trtdebug("verify", "s/fix", *given)
    assert done.code == 0, done.stdout + done.stderr
    assert "agree with a new run of the reference" in done.stdout


def inputs(place):
    np.savez(place / "inputs.npz", x=np.full((2, 8), 55, np.float32))
    return place / "inputs.npz"


def test_check_asks_the_reference_with_operators(place):
    without = trtdebug("check", "swish.onnx", "--json")
    assert "reference-cannot-run" in {f["id"] for f in json.loads(without.stdout)}
    given = trtdebug("check", "swish.onnx", "--operators", "swish.py", "--json")
    assert "reference-cannot-run" not in {f["id"] for f in json.loads(given.stdout)}


def test_an_extension_s_operators_are_used_without_being_asked_for(place):
    package = place / "site" / "trtdebug_cube"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from trtdebug.plugins.spec import hookimpl\nfrom trtdebug.plugins.types import Operator\n\n"
        "@hookimpl\ndef trtdebug_operators():\n"
        "    yield Operator('Cube', 'my.ops', compute=lambda x: x * x * x)\n"
    )
    info = place / "site" / "trtdebug_cube-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-cube\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ncube = trtdebug_cube\n")
    words = ("compare", "cube.onnx", *EMULATOR, "--session", "s")
    done = command_line.trtdebug(*words, cwd=place, PYTHONPATH=str(place / "site"))
    assert done.returncode == 0, done.stderr
    (source,) = json.loads((place / "s" / "case.json").read_text())["options"]["operators"]
    assert source == {"kind": "extension", "name": "my.ops::Cube", "content": "trtdebug-cube 1.2"}


def test_an_operator_that_hangs_is_named(place):
    (place / "cube.py").write_text(
        CUBE.replace('"my.ops")', '"my.ops", seconds=1)').replace(
            "return", "import time; time.sleep(60); return"
        )
    )
    words = ("compare", "cube.onnx", "--operators", "cube.py", *EMULATOR)
    done = command_line.trtdebug(*words, cwd=place)
    assert done.returncode == 4
    assert "the custom operator my.ops::Cube takes more than 1 s (node 'cube')" in done.stderr
