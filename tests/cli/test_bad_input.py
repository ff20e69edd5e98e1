"""Bad input of any kind: one line that names it, exit code 2, nothing on stdout, nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from in_process import jobs_run_here
from onnx.external_data_helper import convert_model_to_external_data
from seed_models import clamped_gemm, identity_add_identity, mnist, shape_arithmetic
from typer.testing import CliRunner

from trtdebug.cli.app import app
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions
from trtdebug.core.jsonable import dumps
from trtdebug.graph.load import save_model

ROOT = Path(__file__).resolve().parents[2]


def npz(name: str, **arrays: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.savez(folder / name, **arrays)


def text(name: str, content: str = "hello") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def truncated(folder: Path) -> None:
    whole = (folder / "good.onnx").read_bytes()
    (folder / "short.onnx").write_bytes(whole[: len(whole) // 2])


def without_its_weights(folder: Path) -> None:
    model = clamped_gemm()
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save(model, folder / "lost.onnx")
    (folder / "weights.bin").unlink()


def damaged_npz(folder: Path) -> None:
    np.savez(folder / "damaged.npz", tensor0=np.ones((1, 3, 64, 64), np.float32))
    whole = (folder / "damaged.npz").read_bytes()
    (folder / "damaged.npz").write_bytes(whole[:1000])


def session(folder: Path) -> None:
    """The session of `trtdebug run good.onnx --session s`, interrupted before its first trial."""
    with opened(CaseOptions(Path("good.onnx"), session=Path("s"), quiet=True)):
        pass


def session_without_model(folder: Path) -> None:
    session(folder)
    (folder / "good.onnx").unlink()


def session_of_changed_model(folder: Path) -> None:
    session(folder)
    save_model(identity_add_identity("Sub"), folder / "good.onnx")


def damaged_case(folder: Path) -> None:
    session(folder)
    case = folder / "s" / "case.json"
    case.write_text(case.read_text()[:100])


def case_of_another_form(folder: Path) -> None:
    session(folder)
    (folder / "s" / "case.json").write_text(json.dumps({"model": 3}))


def half_made(folder: Path) -> None:
    """Killed before case.json was written."""
    session(folder)
    (folder / "s" / "case.json").unlink()


def empty_folder(folder: Path) -> None:
    (folder / "empty").mkdir()


nan = np.full((1, 3, 64, 64), np.nan, np.float32)
ones = np.ones((1, 3, 64, 64), np.float32)
objects = np.array([{}], object)

# what is prepared, the command line, what the line has to name
CASES: dict[str, tuple[Callable[[Path], None] | None, str, tuple[str, ...]]] = {
    "no such file": (None, "run nowhere.onnx", ("nowhere.onnx",)),
    "no such file, check": (None, "check nowhere.onnx", ("nowhere.onnx",)),
    "no such file, inspect": (None, "inspect nowhere.onnx", ("nowhere.onnx",)),
    "no such candidate model": (None, "run good.onnx --candidate-model nowhere.onnx", ("nowhere.onnx",)),
    "a candidate model with other inputs": (
        lambda folder: save_model(clamped_gemm(), folder / "gemm.onnx"),
        "run good.onnx --candidate-model gemm.onnx",
        ("gemm.onnx", "'tensor0'", "[64,64]"),
    ),
    "a folder": (empty_folder, "run empty", ("empty", "folder")),
    "not ONNX": (text("text.onnx"), "run text.onnx", ("text.onnx",)),
    "an empty file": (text("empty.onnx", ""), "run empty.onnx", ("empty.onnx",)),
    "a truncated file": (truncated, "run short.onnx", ("short.onnx",)),
    "weights that are missing": (without_its_weights, "run lost.onnx", ("weights.bin", "lost.onnx")),
    "a recording of tactics that is not there": (
        None,
        "run good.onnx --good-tactics none.json",
        ("none.json can't be read",),
    ),
    "a recording of tactics that is none": (
        None,
        "run good.onnx --good-tactics good.onnx",
        ("good.onnx is no tactic replay",),
    ),
    "a mark of a tensor that there is not": (
        None,
        "run good.onnx --fp16 --candidate emulator --mark nope",
        ("--mark", "'nope'", "good.onnx"),
    ),
    "such a mark with another candidate": (
        None,
        "bisect good.onnx --candidate onnxruntime --mark nope",
        ("--mark", "'nope'"),
    ),
    "an unknown input in --input-shapes": (
        None,
        "run good.onnx --input-shapes tensor9:[1,3,64,64]",
        ("'tensor9'", "'tensor0'"),
    ),
    "an unknown input in --val-range": (None, "run good.onnx --val-range tensor9:[0,1]", ("'tensor9'",)),
    "an unknown input in --inputs": (
        npz("i.npz", tensor9=ones),
        "run good.onnx --inputs i.npz",
        ("'tensor9'", "'tensor0'"),
    ),
    "an unknown input in a profile": (
        None,
        "run good.onnx --min-shapes q:1x3x64x64 --max-shapes q:2x3x64x64",
        ("'q'", "'tensor0'"),
    ),
    "a shape without a name": (None, "run good.onnx --input-shapes [1,3]", ("[1,3]",)),
    "a shape of words": (None, "run good.onnx --input-shapes tensor0:[a,3]", ("'tensor0'", "'a'")),
    "a shape that does not fit (seed T2)": (
        None,
        "run shapes.onnx --input-shapes tensor0:[4,3,64,64]",
        ("'tensor0'", "[4,3,64,64]", "[A,3,B,5]"),
    ),
    "a shape outside the profile (seed T3)": (
        None,
        "run shapes.onnx --input-shapes tensor0:[8,3,4,5] --min-shapes tensor0:1x3x1x5 --max-shapes tensor0:4x3x16x5",
        ("'tensor0'", "[8,3,4,5]", "[4,3,16,5]"),
    ),
    "a shape beyond all memory": (
        None,
        "run good.onnx --input-shapes tensor0:[99999999999,3,64,64]",
        ("99999999999",),
    ),
    "a profile without a maximum": (
        None,
        "run good.onnx --min-shapes tensor0:1x3x64x64",
        ("'tensor0'", "--max-shapes"),
    ),
    "a profile that is not ordered": (
        None,
        "run good.onnx --min-shapes tensor0:4x3x64x64 --max-shapes tensor0:2x3x64x64",
        ("'tensor0'", "ordered"),
    ),
    "a profile of another rank": (
        None,
        "run good.onnx --min-shapes tensor0:1x3 --max-shapes tensor0:2x3 --input-shapes tensor0:[1,3,64,64]",
        ("'tensor0'", "[1,3]"),
    ),
    "a profile that does not fit the model": (
        None,
        "run good.onnx --min-shapes tensor0:1x1x64x64 --max-shapes tensor0:2x9x64x64",
        ("'tensor0'", "[B,3,64,64]"),
    ),
    "another dtype": (
        npz("i.npz", tensor0=ones.astype(np.float64)),
        "run good.onnx --inputs i.npz",
        ("'tensor0'", "float64", "float32"),
    ),
    "NaN in the inputs": (npz("i.npz", tensor0=nan), "run good.onnx --inputs i.npz", ("'tensor0'", "NaN")),
    "an .npz with objects": (
        npz("i.npz", tensor0=objects),
        "run good.onnx --inputs i.npz",
        ("i.npz", "Python objects"),
    ),
    "junk for an .npz": (
        text("i.npz"),
        "run good.onnx --inputs i.npz",
        ("i.npz is not an .npz file",),
    ),
    "a damaged .npz": (damaged_npz, "run good.onnx --inputs damaged.npz", ("damaged.npz",)),
    "inputs that are not there": (None, "run good.onnx --inputs i.npz", ("i.npz",)),
    "inputs that nobody can read": (text("i.txt"), "run good.onnx --inputs i.txt", ("i.txt",)),
    "inputs and shapes": (
        npz("i.npz", tensor0=ones),
        "run good.onnx --inputs i.npz --input-shapes tensor0:[1,3,64,64]",
        ("--inputs", "shapes"),
    ),
    "a range that is none": (None, "run good.onnx --val-range [2,1]", ("[2,1]",)),
    "an unknown precision": (None, "run good.onnx --fp8", ("--fp8",)),
    "two precisions": (None, "run good.onnx --fp16 --bf16", ("--fp16", "--bf16")),
    "two precisions, check": (None, "check good.onnx --fp16 --bf16", ("--fp16", "--bf16")),
    "INT8 without TensorRT": (None, "run good.onnx --int8 --candidate emulator", ("emulator", "INT8")),
    "an unknown reference": (None, "run good.onnx --reference onnxruntim", ("'onnxruntim'", "--reference")),
    "an unknown candidate": (None, "run good.onnx --candidate tensort", ("'tensort'", "--candidate")),
    "an unknown plugin": (None, "-p no:foo run good.onnx", ("'foo'",)),
    "a plugin that is not excluded": (None, "-p foo run good.onnx", ("'foo'",)),
    "backends left out": (None, "-p no:builtin run good.onnx", ("'builtin' cannot be left out",)),
    "searches left out": (None, "-p no:localizers run good.onnx", ("'localizers' cannot be left out",)),
    "workers left out": (None, "-p no:Executors run good.onnx", ("'executors' cannot be left out",)),
    "reports left out": (None, "-p no:formats run good.onnx", ("'formats' cannot be left out",)),
    "a plugin library that is not there": (None, "run good.onnx --plugins missing.so", ("missing.so",)),
    "--builds 0": (None, "run good.onnx --builds 0", ("--builds",)),
    "a seed of words": (None, "run good.onnx --seed many", ("--seed",)),
    "a negative seed": (None, "run good.onnx --seed -1", ("--seed",)),
    "a negative tolerance": (None, "run good.onnx --atol -1", ("--atol",)),
    "a tolerance that is no number": (None, "run good.onnx --rtol nan", ("--rtol", "nan is not a number")),
    "an unknown option": (None, "run good.onnx --frobnicate", ("--frobnicate",)),
    "an unknown command": (None, "frobnicate", ("frobnicate",)),
    "no model": (None, "run", ("model",)),
    "a file for a session": (text("s"), "run good.onnx --session s", ("session folder s ",)),
    "a session below a file": (text("s"), "run good.onnx --session s/t", ("session folder s/t ",)),
    "a folder of other things for a session": (
        None,
        "run good.onnx --session .",
        ("folder . ", "no session"),
    ),
    "a folder of other things for the demo": (None, "demo --session .", ("folder . ", "no session")),
    "an endless timeout": (None, "run good.onnx --timeout inf", ("--timeout",)),
    "a memory that is no size": (None, "run good.onnx --worker-memory 8Q", ("--worker-memory", "8G")),
    "a session of another model": (session, "run shapes.onnx --session s", ("session s ", "good.onnx")),
    "a session of another case": (session, "run good.onnx --session s --seed 9", ("session s ", "case")),
    "resume with another model": (session, "resume s --model shapes.onnx", ("session s ", "good.onnx")),
    "resume without its model": (session_without_model, "resume s", ("good.onnx", "not here")),
    "resume of a changed model": (session_of_changed_model, "resume s", ("good.onnx", "changed")),
    "resume of no session": (empty_folder, "resume empty", ("empty", "not a session")),
    "resume of nothing": (None, "resume", (".trtdebug",)),
    "resume of what is not there": (None, "resume nowhere", ("nowhere",)),
    "resume of a damaged session": (damaged_case, "resume s", ("s/case.json",)),
    "resume of a session of another form": (case_of_another_form, "resume s", ("s/case.json",)),
    "resume of a half-made session": (half_made, "resume s", ("session s ", "nothing to resume")),
    "log of no session": (empty_folder, "log empty", ("empty", "not a session")),
    "status of no session": (empty_folder, "status empty", ("empty", "not a session")),
    "status of a damaged session": (damaged_case, "status s", ("s/case.json",)),
    "an unknown node": (None, "repro good.onnx --nodes myAd", ("'myAd'",)),
    "a file for a repro's folder": (
        text("r"),
        "repro good.onnx --nodes myAdd --output r/s",
        ("r/s",),
    ),
    "no node": (None, "repro good.onnx --nodes ,", ("--nodes",)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: good.onnx and shapes.onnx."""
    save_model(identity_add_identity(), tmp_path / "good.onnx")
    save_model(shape_arithmetic(), tmp_path / "shapes.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def here() -> Iterator[None]:
    with jobs_run_here():
        yield


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
        if p.suffix != ".pyc"
    }


def assert_one_line(stderr: str, names: tuple[str, ...]) -> None:
    lines = stderr.splitlines()
    assert lines[0].startswith("error: "), stderr
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: ")), stderr
    assert "Traceback" not in stderr
    for name in names:
        assert name in lines[0], stderr


@pytest.mark.parametrize("case", CASES)
def test_one_line_exit_code_2_and_nothing_written(case: str, folder: Path) -> None:
    prepare, line, names = CASES[case]
    if prepare:
        prepare(folder)
    before = contents(folder)
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stdout == ""
    assert_one_line(done.stderr, names)
    assert contents(folder) == before


@pytest.mark.parametrize(
    "case", ["no such file", "not ONNX", "an unknown precision", "a damaged .npz", "a session below a file"]
)
def test_the_console_script_says_the_same(case: str, folder: Path) -> None:
    prepare, line, names = CASES[case]
    if prepare:
        prepare(folder)
    before = contents(folder)
    done = subprocess.run(
        [sys.executable, "-m", "trtdebug", *line.split()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, names)
    assert contents(folder) == before


def test_tensorrt_demanded_where_it_does_not_work(folder: Path) -> None:
    from trtdebug.backends.tensorrt.probe import probe

    if probe().ok:
        pytest.skip("TensorRT works here")
    done = CliRunner().invoke(app, ["run", "good.onnx", "--candidate", "tensorrt"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert_one_line(done.stderr, ("tensorrt", "does not work here"))


@pytest.mark.usefixtures("here")
def test_a_damaged_session_does_not_hide_the_others(folder: Path) -> None:
    for name in ("a", "b"):
        CliRunner().invoke(app, ["run", "good.onnx", "--session", f".trtdebug/{name}", "--quiet"])
    (folder / ".trtdebug" / "a" / "case.json").write_text("{")
    done = CliRunner().invoke(app, ["status", "--json"])
    states = {Path(s["session"]).name: s["state"] for s in json.loads(done.stdout)}
    assert done.exit_code == 0
    assert states["b"] == "finished"
    assert states["a"].startswith("unreadable (")


def test_an_unforeseen_error_is_kept_in_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3: one line that tells where the traceback is."""

    def boom(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("trtdebug.stages.opening.preflight.prepare", boom)
    done = CliRunner().invoke(app, ["run", "good.onnx"])
    assert (done.exit_code, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("internal error: RuntimeError: two lines (details: ")
    details = Path(line.partition("(details: ")[2].rstrip(")"))
    assert "in boom" in details.read_text()
    details.unlink()


@pytest.mark.usefixtures("here")
def test_plugin_libraries_that_nobody_reads_are_said(folder: Path) -> None:
    (folder / "p.so").write_bytes(b"")
    line = ["run", "good.onnx", "--plugins", "p.so", "--candidate", "emulator", "--quiet", "--session", "s"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    assert "warning plugins-ignored: plugin libraries are ignored by emulator" in done.stdout


@pytest.mark.usefixtures("here")
def test_options_that_the_emulator_has_no_use_for_are_said(folder: Path) -> None:
    line = ["run", "good.onnx", "--fp16", "--candidate", "emulator", "--quiet", "--session", "s"]
    done = CliRunner().invoke(app, [*line, "--tactic-sources=FOO"])
    assert done.exit_code == 0, done.output
    assert "warning options-ignored: --tactic-sources: ignored by emulator" in done.stdout


@pytest.mark.usefixtures("here")
def test_other_built_in_plugins_can_be_left_out(folder: Path) -> None:
    words = [w for name in ("checks", "fixes", "inputs") for w in ("-p", f"no:{name}")]
    done = CliRunner().invoke(app, [*words, "run", "good.onnx", "--session", "s", "--quiet"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        (["a,b"], ("a,b",)),
        (["a,c"], ("a", "c")),
        (["a , c"], ("a", "c")),
        (["a,b", "c", "a"], ("a,b", "c", "a")),
    ],
)
def test_a_node_name_may_hold_a_comma(given: list[str], nodes: tuple[str, ...], tmp_path: Path) -> None:
    from trtdebug.cli.repro import _nodes

    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y)'
        "{ s = Abs(x) t = Neg(s) y = Relu(t) }"
    )
    for node, name in zip(model.graph.node, ("a", "a,b", "c"), strict=True):
        node.name = name
    save_model(model, tmp_path / "m.onnx")
    assert _nodes(tmp_path / "m.onnx", given, []) == nodes


def test_inspect_escapes_names(tmp_path: Path) -> None:
    model = identity_add_identity()
    model.graph.node[0].name = "a\nb\x1b[2J"
    save_model(model, tmp_path / "m.onnx")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "m.onnx"), "--nodes"])
    assert r"a\nb\x1b[2J: " in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("here")
def test_mnist_takes_names_with_colons(folder: Path) -> None:
    """The last colon ends the name, also on the command line."""
    save_model(mnist(colon_names=True), folder / "colon.onnx")
    done = CliRunner().invoke(
        app, ["run", "colon.onnx", "--input-shapes", "x:0:[2,1,28,28]", "--quiet", "--json"]
    )
    assert done.exit_code == 0, done.output
    assert dumps(json.loads(done.stdout)["verdict"]) == '"matches"'
