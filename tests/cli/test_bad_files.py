"""Files that are not what a command takes: one line that names them, exit code 2, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from in_process import Done, jobs_run_here
from in_process import trtdebug as command
from onnx.external_data_helper import convert_model_to_external_data
from seed_models import clamped_gemm

from trtdebug.graph.load import save_model

SHAPE = (64, 64)

OF_A_MODEL = (
    "inspect {bad}",
    "inspect {bad} --nodes",
    "inspect {bad} --build --candidate emulator",
    "inspect {bad} good.onnx --candidate emulator",
    "inspect good.onnx {bad} --candidate emulator",
    "compare {bad} --candidate emulator",
    "compare good.onnx --candidate emulator --candidate-model {bad}",
    "compare good.onnx --engine {bad}",
    "view {bad} --output out.onnx",
    "view {bad} --whole --output out.onnx",
    "check {bad}",
    "capability {bad}",
)
OF_INPUTS = (
    "inspect good.onnx --build --candidate emulator --inputs {bad}",
    "compare good.onnx --candidate emulator --inputs {bad}",
    "check good.onnx --inputs {bad}",
)


def external(location: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        model = clamped_gemm()
        convert_model_to_external_data(model, location=location, size_threshold=0)
        onnx.save(model, path)

    return make


def lost_weights(path: Path) -> None:
    external("lost.bin")(path)
    (path.parent / "lost.bin").unlink()


def cut_weights(path: Path) -> None:
    external("cut.bin")(path)
    os.truncate(path.parent / "cut.bin", 100)


def cut(divisor: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        whole = (path.parent / "good.onnx").read_bytes()
        path.write_bytes(whole[: len(whole) // divisor])

    return make


def of_no_type(path: Path) -> None:
    model = clamped_gemm()
    model.graph.initializer[0].data_type = 77
    save_model(model, path)


def to_no_type(path: Path) -> None:
    model = clamped_gemm()
    cast = onnx.helper.make_node("Cast", [model.graph.output[0].name], ["narrow"], to=77)
    model.graph.node.append(cast)
    save_model(model, path)


def without_operator(path: Path) -> None:
    model = clamped_gemm()
    model.graph.node[0].op_type = ""
    save_model(model, path)


def npz(**arrays: np.ndarray) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    return make


def unreadable(path: Path) -> None:
    save_model(clamped_gemm(), path)
    path.chmod(0)


good = np.ones(SHAPE, np.float32)

# what is made of that name, and a piece of the line that every command has to say
MODELS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "nothing": ("nowhere.onnx", lambda path: None, "nowhere.onnx"),
    "a folder": ("folder", Path.mkdir, "folder"),
    "a folder by a model's name": ("folder.onnx", Path.mkdir, "folder.onnx"),
    "an empty file": ("empty.onnx", Path.touch, "empty.onnx"),
    "an empty file without a suffix": ("empty", Path.touch, "empty"),
    "an empty engine": ("empty.engine", Path.touch, "empty.engine"),
    "an empty record": ("empty.json", Path.touch, "empty.json"),
    "a text": ("text.onnx", lambda path: path.write_text("hello\nworld\n"), "text.onnx"),
    "a text by a log's name": ("notes.txt", lambda path: path.write_text("hello"), "notes.txt"),
    "random bytes": ("junk.onnx", lambda path: path.write_bytes(bytes(range(256)) * 20), "junk.onnx"),
    "half a model": ("half.onnx", cut(2), "half.onnx"),
    "the head of a model": ("head.onnx", cut(20), "head.onnx"),
    "weights that are missing": ("lost.onnx", lost_weights, "lost.onnx"),
    "weights that are truncated": ("cut.onnx", cut_weights, "cut.onnx"),
    "a type that nobody knows": ("type.onnx", of_no_type, "type.onnx"),
    "a cast to a type that nobody knows": ("cast.onnx", to_no_type, "cast.onnx"),
    "a node without an operator": ("op.onnx", without_operator, "op.onnx"),
    "an .npz": ("inputs.npz", npz(tensor0=good), "inputs.npz"),
    "a file that may not be read": ("secret.onnx", unreadable, "secret.onnx"),
}
INPUTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "nothing": ("nowhere.npz", lambda path: None, "nowhere.npz"),
    "an empty folder": ("folder", Path.mkdir, "folder"),
    "a model": ("good.onnx", lambda path: None, "good.onnx"),
    "an empty file": ("empty.npz", Path.touch, "empty.npz"),
    "a text": ("notes.txt", lambda path: path.write_text("hello"), "notes.txt"),
    "no JSON": ("empty.json", Path.touch, "empty.json"),
    "JSON of another kind": ("other.json", lambda path: path.write_text("{}"), "other.json"),
    "an .npy": ("one.npy", lambda path: np.save(path, good), "one.npy"),
    "no array": ("none.npz", npz(), "'tensor0'"),
    "another name": ("name.npz", npz(other=good), "'other'"),
    "a name too many": ("more.npz", npz(tensor0=good, other=good), "'other'"),
    "another shape": ("shape.npz", npz(tensor0=good[:6]), "'tensor0' has shape [6,64]"),
    "another rank": ("rank.npz", npz(tensor0=good[0]), "'tensor0' has shape [64]"),
    "another type": ("type.npz", npz(tensor0=good.astype(np.float64)), "'tensor0' is float64"),
    "words": ("words.npz", npz(tensor0=np.full(SHAPE, "a")), "'tensor0' is str32"),
    "a file that may not be read": ("secret.npz", unreadable, "secret.npz"),
}


@pytest.fixture(autouse=True)
def here() -> Iterator[None]:
    with jobs_run_here():
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with good.onnx."""
    save_model(clamped_gemm(), tmp_path / "good.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_refused(done: Done, line: str, said: str) -> None:
    assert (done.code, done.stdout) == (2, ""), (line, done)
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: "), (line, error)
    assert hint.startswith("hint: "), (line, hint)
    assert said in error, (line, error)


@pytest.mark.parametrize(
    ("commands", "files", "kind"),
    [
        *((OF_A_MODEL, MODELS, kind) for kind in MODELS),
        *((OF_INPUTS, INPUTS, kind) for kind in INPUTS),
    ],
    ids=[*(f"model: {kind}" for kind in MODELS), *(f"inputs: {kind}" for kind in INPUTS)],
)
def test_it_is_named_and_nothing_is_written(
    commands: tuple[str, ...],
    files: dict[str, tuple[str, Callable[[Path], object], str]],
    kind: str,
    folder: Path,
) -> None:
    name, make, said = files[kind]
    if make is unreadable and os.geteuid() == 0:
        pytest.skip("root reads every file")
    make(folder / name)
    before = sorted(folder.rglob("*"))
    for line in commands:
        assert_refused(command(*line.format(bad=name).split()), line, said)
        assert sorted(folder.rglob("*")) == before, line


@pytest.mark.parametrize("output", ["folder", "good.onnx/out.onnx"])
def test_a_place_that_view_cannot_write_to_is_named(output: str, folder: Path) -> None:
    (folder / "folder").mkdir()
    before = sorted(folder.rglob("*"))
    assert_refused(command("view", "good.onnx", "--output", output), "view", f"{output} cannot be written")
    assert sorted(folder.rglob("*")) == before
