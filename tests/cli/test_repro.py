"""`trtdebug repro`: any part of a model, anonymised, small, and verified again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import command_line
import pytest
from in_process import Done, jobs_run_here, trtdebug
from seed_models import model_of, node, value

from trtdebug.graph.load import load_model, save_model
from trtdebug.repro.manifest import read_manifest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("repro")
    trtdebug("demo", "--save", folder / "m.onnx")
    with jobs_run_here():
        yield folder


def repro(place: Path, name: str, *words: str) -> Done:
    line = ["repro", place / "m.onnx", "--fp16", "--candidate", "emulator", "--quiet", "--json"]
    return trtdebug(*line, "--session", place / f"{name}-session", "--output", place / name, *words)


def test_a_range_that_fails_and_check_that_sees_it_again(place: Path) -> None:
    done = repro(place, "range", "--nodes", "norm_pow..norm_sqrt")
    made = json.loads(done.stdout)
    assert (done.code, made["verified"], made["passes"], made["nodes"]) == (1, True, False, 4)
    again = trtdebug("repro", "check", place / "range")
    assert (again.code, again.stdout) == (1, f"{place / 'range'}: 4 node(s), the failure shows: nonfinite\n")
    shutil.copytree(place / "range", place / "elsewhere")
    shutil.copyfile(place / "elsewhere" / "model.onnx", place / "elsewhere" / "emulated.onnx")  # as if mended
    mended = trtdebug("repro", "check", place / "elsewhere", "--json")
    assert (mended.code, json.loads(mended.stdout)["reproduced"]) == (0, False)
    (place / "elsewhere" / "emulated.onnx").unlink()
    assert trtdebug("repro", "check", place / "elsewhere").code == 4
    assert trtdebug("repro", "check", place).code == 2


def test_around_a_tensor_that_is_right(place: Path) -> None:
    done = repro(place, "around", "--around", "fc3")
    made = json.loads(done.stdout)
    assert (done.code, made["verified"], made["passes"], made["nodes"]) == (0, True, True, 2)
    assert trtdebug("repro", "check", place / "around").code == 0


def test_a_random_node_is_no_fault_that_could_be_shown(tmp_path: Path) -> None:
    noise = node("RandomNormalLike", ["x"], ["r"], "noise")
    add = node("Add", ["x", "r"], ["y"], "add")
    save_model(model_of([noise, add], [value("x", [4, 16])], [value("y", [4, 16])]), tmp_path / "m.onnx")
    line = ("repro", "m.onnx", "--fp16", "--candidate", "emulator", "--quiet", "--session")
    done = command_line.trtdebug(*line, "s", "--nodes", "noise,add", cwd=tmp_path)
    assert done.returncode == 4
    assert "the reference itself gives other values when it computes the piece again" in done.stdout
    steady = command_line.trtdebug(*line, "t", "--nodes", "add", cwd=tmp_path)
    assert steady.returncode == 0, "what it reads was recorded"


def test_anonymised_it_has_none_of_the_names(place: Path) -> None:
    done = repro(place, "anonymous", "--nodes", "norm_pow..norm_sqrt", "--anonymise")
    made = json.loads(done.stdout)
    assert (done.code, made["verified"]) == (1, True)
    manifest = read_manifest(place / "anonymous")
    assert manifest.anonymised
    assert manifest.command == ""
    assert not [n for n in manifest.nodes if "norm" in n]
    assert [n.op_type for n in load_model(place / "anonymous" / "model.onnx").graph.node] == [
        *("Pow", "ReduceMean", "Add", "Sqrt")
    ]
    assert not (place / "anonymous-session" / "repro").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--nodes", "norm_sqrt..norm_pow"), "turn them round"),
        (("--nodes", "nowhere"), "no node 'nowhere'"),
        (("--around", "nowhere"), "no tensor 'nowhere'"),
        (("--nodes", "fc1", "--max-size", "1K"), "--max-size is 1024"),
    ],
)
def test_what_cannot_be_had_is_said(place: Path, words: tuple[str, ...], said: str) -> None:
    done = repro(place, "refused", *words)
    assert done.code == 2
    assert said in done.stderr
    assert not (place / "refused").exists()
