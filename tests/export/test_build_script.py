"""build.py of a fix folder: on a real TensorRT as far as there is one without a GPU, and what it says when it can't."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bindings
import onnx
import pytest

from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.export.scripts import config as config_script
from trtdebug.export.scripts.config import choice_of, tactic_notes
from trtdebug.export.scripts.order import Order, Wanted, inside, read_fix, read_wanted

CULPRITS = ["norm_pow", "norm_var", "norm_eps", "norm_sqrt"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(fixed, tmp_path: Path) -> Path:
    """A copy of the sample's fix folder, to be changed."""
    return Path(shutil.copytree(fixed.folder, tmp_path / "fix"))


@pytest.fixture
def on_rtx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs build.py where `tensorrt` is TensorRT-RTX: the API of 11, strongly typed, and it builds without a GPU."""
    place = tmp_path / "rtx"
    place.mkdir()
    child = bindings.rtx(place)
    monkeypatch.chdir(tmp_path)
    return lambda folder, *words: child.run(str(folder / "build.py"), *map(str, words), check=False)


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "fix.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def pin(*nodes: str) -> dict[str, Any]:
    return {"kind": "PinPrecision", "nodes": list(nodes), "dtype": "fp32"}


def knob(name: str, value: str) -> dict[str, Any]:
    return {"kind": "Knob", "name": name, "value": value}


_KNOWN = {
    "interventions": [pin("n"), knob("tf32", "off")],
    "case": {
        "model": "m.onnx",
        "candidate_model": None,
        "options": {
            "precision": "fp16",
            "tf32": True,
            "optimization_level": None,
            "workspace": 1024,
            "tactic_sources": None,
            "plugins": [],
            "marks": [],
        },
    },
    "profiles": {"x": {"min": [1], "opt": [1], "max": [2]}},
    "values": {},
    "operators": {"n": "Add"},
    "apart": False,
    "model": None,
    "typed": "mixed.onnx",
    "typed_reason": "",
    "calibration": None,
    "timing_cache": None,
    "schema": 1,
}


def places(data: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to every value of fix.json."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*way, key)
        yield from places(value, (*way, key))


@pytest.mark.parametrize("way", list(places(_KNOWN)), ids=lambda way: ".".join(map(str, way)))
def test_a_damaged_value_is_told(tmp_path: Path, way: tuple[Any, ...]) -> None:
    """Whatever stands there, and where nothing does: never a traceback."""
    for value in (None, True, 1.5, [], {}, "", [None], ...):
        fix = json.loads(json.dumps(_KNOWN))
        around = fix
        for key in way[:-1]:
            around = around[key]
        if value is ...:
            del around[way[-1]]
        else:
            around[way[-1]] = value
        (tmp_path / "fix.json").write_text(json.dumps(fix))
        with contextlib.suppress(UserError):
            read_wanted(read_fix(tmp_path)["interventions"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"case": {}}, "it has no case.model"),
        ({"interventions": [pin("a") | {"dtype": "fp61"}]}, "interventions[0].dtype is none of"),
        (
            {"profiles": {"x": {"min": [True], "opt": [1], "max": [1]}}},
            "profiles.x.min[0] is not a whole number",
        ),
        ({"typed": 1}, "typed is not text or null"),
        ({"interventions": []}, "it holds no fix"),
        ({"schema": 2}, "its schema is 2, not 1"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (tmp_path / "fix.json").write_text(json.dumps(_KNOWN | change))
    with pytest.raises(UserError, match=re.escape(said)):
        read_fix(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "n" * 300])
def test_a_name_that_no_file_can_have_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is not in"):
        inside(tmp_path, name)


def test_an_engine_is_built_with_the_pins_in_the_model(on_rtx: Run, folder: Path, tmp_path: Path) -> None:
    done = on_rtx(folder, "-o", tmp_path / "model.engine")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.engine").read_bytes()[:4] == b"vtrt"  # of TensorRT-RTX
    assert [line for line in done.stdout.splitlines() if line.startswith("pinned")] == [
        f"pinned: {node} to fp32 (in the model)" for node in CULPRITS
    ]
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_fix_without_low_precision_takes_the_model_itself(
    on_rtx: Run, folder: Path, tmp_path: Path
) -> None:
    plain = json.loads((folder / "fix.json").read_text())["case"]
    plain["options"]["precision"] = "fp32"
    edit(folder, case=plain, typed=None, interventions=[knob("tf32", "off")])
    (folder / "mixed.onnx").unlink()
    done = on_rtx(folder)
    assert done.returncode == 0, done.stderr
    assert "knob: tf32=off" in done.stdout
    assert (tmp_path / "model.engine").stat().st_size > 0  # named for the model, where the script was started


def test_names_of_any_kind(on_rtx: Run, fix_of, odd, tmp_path: Path) -> None:
    fixed = fix_of(odd)
    done = on_rtx(fixed.folder, "-o", tmp_path / "odd.engine")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert done.stdout.count("pinned:") == len(done.stdout.splitlines()) - 1 == 4


def test_dynamic_inputs_get_their_profile(on_rtx: Run, fix_of, layernorm, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    fixed = fix_of(model, "--min-shapes", "x:[1,64]", "--opt-shapes", "x:[4,64]", "--max-shapes", "x:[8,64]")
    folder = Path(shutil.copytree(fixed.folder, tmp_path / "fix"))
    assert on_rtx(folder, "-o", tmp_path / "m.engine").returncode == 0
    edit(folder, profiles={})
    done = on_rtx(folder)
    assert done.returncode == 2
    assert "no profile for the dynamic input 'x'" in done.stderr


def test_a_real_model(on_rtx: Run, fix_of, model_path, tmp_path: Path) -> None:
    """magika: a dynamic batch, and two pins in a LayerNorm."""
    model = onnx.load(model_path("magika_standard_v3_3.onnx"))
    fixed = fix_of(model, "--input-shapes", "bytes:[4,2048]")
    done = on_rtx(fixed.folder, "-o", tmp_path / "m.engine")
    assert done.returncode == 0, done.stderr
    assert "LayerNorm_1/Sum_1 to fp32" in done.stdout
    assert "LayerNorm_1/truediv_1 to fp32" in done.stdout


def test_outputs_and_knobs_of_this_family(on_rtx: Run, folder: Path, tmp_path: Path) -> None:
    marks = {"kind": "MarkOutputs", "tensors": ["norm_pow"]}
    plain = json.loads((folder / "fix.json").read_text())["case"]
    plain["options"]["precision"] = "fp32"
    knobs = [knob("tactic_sources", "-JIT_CONVOLUTIONS"), knob("optimization_level", "1")]
    edit(folder, interventions=[marks, *knobs], typed=None, case=plain)
    done = on_rtx(folder, "-o", tmp_path / "m.engine")
    assert done.returncode == 0, done.stderr
    assert "output: norm_pow" in done.stdout


def test_what_trtexecs_flags_do_not_say_is_told(on_rtx: Run, folder: Path) -> None:
    interventions = json.loads((folder / "fix.json").read_text())["interventions"]
    edit(folder, interventions=[*interventions, knob("optimization_level", "1")])
    done = on_rtx(folder, "--trtexec")
    assert (done.returncode, done.stdout) == (0, "\n")  # the pins stand in the model
    assert done.stderr.splitlines() == ["note: not in these flags: knob: optimization_level=1"]


def test_trtexec_has_no_flag_for_tactics(on_rtx: Run, folder: Path) -> None:
    edit(folder, interventions=[{"kind": "BanTactic", "layer": "a", "tactic": "0x1:0x2"}])
    done = on_rtx(folder, "--trtexec")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the fix is about tactics, and trtexec has no flag for these." in done.stderr


def test_the_users_tactic_sources_are_those_that_this_version_has(
    on_rtx: Run, folder: Path, tmp_path: Path
) -> None:
    case = json.loads((folder / "fix.json").read_text())["case"]
    for sources, code, said in [
        ("-CUBLAS,-CUDNN", 0, ""),
        ("-CUBLAS,-JIT_CONVOLUTIONS", 0, ""),
        ("CUBLAS", 1, "no tactic source 'CUBLAS'"),
    ]:
        case["options"]["tactic_sources"] = sources
        edit(folder, case=case)
        done = on_rtx(folder, "-o", tmp_path / "m.engine")
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_the_users_sources_come_before_those_of_the_fix() -> None:
    trt = SimpleNamespace(TacticSource=SimpleNamespace(CUDNN=0))
    asked = order(
        {"case": {"options": {"tactic_sources": "-CUBLAS,-CUDNN"}}}, Wanted(knobs={"tactic_sources": "-A"})
    )
    assert config_script._sources(trt, asked) == {"tactic_sources": "-CUDNN,-A"}
    assert config_script._sources(trt, order({"case": {"options": {}}}, Wanted())) == {}


WRONG = {
    "another model": ({}, ["x.onnx"], "mixed.onnx was made of", 2),
    "no strong typing": ({"typed": None, "typed_reason": "it bans tactics"}, [], "it bans tactics", 2),
    "unknown knob": ({"interventions": [knob("magic", "on")]}, [], "the knob 'magic'", 2),
    "odd value": ({"interventions": [knob("tf32", "maybe")]}, [], "takes on or off, not 'maybe'", 2),
    "unknown intervention": ({"interventions": [{"kind": "Wish"}]}, [], "holds Wish", 2),
    "file elsewhere": ({"typed": "../../../etc/passwd"}, [], "is not in", 2),
    "mark of nothing": (
        {"interventions": [{"kind": "MarkOutputs", "tensors": ["nothing"]}]},
        [],
        "'nothing', which the fix makes an output of the engine, cannot be one",
        2,
    ),
    "tactics": (
        {"interventions": [{"kind": "BanTactic", "layer": "a", "tactic": "0x1:0x2"}]},
        [],
        "cannot be told which tactics to use",
        2,
    ),
    "no sources": ({"interventions": [knob("tactic_sources", "CUBLAS")]}, [], "no tactic source 'CUBLAS'", 1),
    "schema": ({"schema": 7}, [], "is damaged", 2),
    "no library": ({}, ["--plugin", __file__], "test_build_script.py cannot be loaded", 2),
    "no plugin": ({}, ["--plugin", "/nowhere/lib.so"], "no plugin library /nowhere/lib.so", 2),
    "nowhere to go": ({}, ["-o", "/nowhere/m.engine"], "the engine cannot go to /nowhere/m.engine", 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(on_rtx: Run, folder: Path, name: str) -> None:
    changes, words, message, code = WRONG[name]
    edit(folder, **changes)
    done = on_rtx(folder, *words)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not list(folder.parent.glob("*.engine"))


def test_a_damaged_mixed_model(on_rtx: Run, folder: Path) -> None:
    (folder / "mixed.onnx").write_bytes((folder / "mixed.onnx").read_bytes()[:2000])
    done = on_rtx(folder)
    assert done.returncode == 2
    assert "is no ONNX model" in done.stderr


@pytest.mark.parametrize("version", bindings.TENSORRT)
def test_without_a_gpu_it_says_so(folder: Path, tmp_path: Path, version: str) -> None:
    child = bindings.bindings(version, tmp_path)
    done = child.run(str(folder / "build.py"), "-o", str(tmp_path / "m.engine"), check=False)
    assert done.returncode == 1
    assert "TensorRT makes no builder here (is there a GPU and its driver?)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_renamed_nodes_are_found_before_tensorrt_is_started(folder: Path, tmp_path: Path) -> None:
    """On a weakly typed TensorRT; this one could not build."""
    child = bindings.bindings(bindings.TENSORRT[0], tmp_path)
    edit(folder, interventions=[pin("norm_pow", "renamed", "gone")])
    done = child.run(str(folder / "build.py"), check=False)
    assert done.returncode == 2
    assert "has no node 'renamed', which the fix pins (2 of 3 are missing)" in done.stderr


def test_another_operator_under_a_pinned_name_is_another_node(folder: Path, fixed, tmp_path: Path) -> None:
    """Exporters number their nodes: one more before it, and a name is that of the next."""
    child = bindings.bindings(bindings.TENSORRT[0], tmp_path)
    model = onnx.load(fixed.model)
    numbered = {"norm_pow": "norm_var", "norm_var": "norm_pow"}
    for node in model.graph.node:
        node.name = numbered.get(node.name, node.name)
    onnx.save(model, tmp_path / "new.onnx")
    done = child.run(str(folder / "build.py"), str(tmp_path / "new.onnx"), check=False)
    assert done.returncode == 2
    assert "which the fix pins, is ReduceMean in new.onnx, and was Pow" in done.stderr


def test_without_tensorrt(folder: Path) -> None:
    line = [sys.executable, "-I", str(folder / "build.py")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=dict(os.environ))
    if "tensorrt cannot be imported" not in done.stderr:
        pytest.skip("there is a TensorRT here")
    assert done.returncode == 2


def test_what_a_fix_asks_for() -> None:
    wanted = read_wanted(
        [
            pin("a"),
            {"kind": "ForcePrecision", "dtype": "bf16"},
            {"kind": "BreakFusion", "tensor": "t"},
            {"kind": "MarkOutputs", "tensors": ["t", "u"]},
            {"kind": "BanTactic", "layer": "l", "tactic": "0x1:0x2"},
            {"kind": "UseTactic", "layer": "m", "tactic": "*:0x3"},
            knob("tactic_sources", "-CUDNN"),
            knob("tactic_sources", "-CUBLAS"),
            {"kind": "ReplaceGraph", "model": "rewritten.onnx", "sha256": ""},
        ]
    )
    assert wanted == Wanted(
        {"a": "fp32"},
        "bf16",
        ("t", "u"),
        (BanTactic("l", "0x1:0x2"),),
        (UseTactic("m", "*:0x3"),),
        {"tactic_sources": "-CUDNN,-CUBLAS"},
    )


def order(fix: dict[str, Any], wanted: Wanted) -> Order:
    return Order(Path(), fix, wanted, Path("m.onnx"), False, (), {})


SELECTING = SimpleNamespace(__version__="8.6.0", IAlgorithmSelector=object, BuilderFlag=object)
EDITING = SimpleNamespace(__version__="11.4.0", BuilderFlag=SimpleNamespace(EDITABLE_TIMING_CACHE=1))


def test_tactics_are_chosen_by_a_selector_or_lie_in_the_timing_cache() -> None:
    ban = Wanted(bans=(BanTactic("conv", "0x1:0x2"),))
    choice = choice_of(SELECTING, order({}, ban))
    assert choice is not None
    assert choice.rules.layers == ("conv",)
    cache = {"timing_cache": "timing.cache"}
    assert choice_of(EDITING, order(cache, ban)) is None
    assert choice_of(SELECTING, order(cache, ban)) is not None  # there a cache would bind nobody
    assert choice_of(SELECTING, order({}, Wanted())) is None
    by_hash = Wanted(bans=(BanTactic("conv", "0xabc"),))
    with pytest.raises(UserError, match="no timing cache"):
        choice_of(SELECTING, order({}, by_hash))
    with pytest.raises(UserError, match="no timing cache"):
        choice_of(EDITING, order({}, ban))


def test_an_engine_without_the_ban_in_it_is_none() -> None:
    choice = choice_of(SELECTING, order({}, Wanted(bans=(BanTactic("conv", "0x1:0x2"),))))
    with pytest.raises(BuildFailure, match="there is no such layer"):
        tactic_notes(choice)
