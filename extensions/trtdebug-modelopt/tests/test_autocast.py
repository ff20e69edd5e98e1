"""AutoCast as a child process. A stand-in for Python takes its place here; the real one is in test_real.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import trtdebug_modelopt
from trtdebug_modelopt import autocast
from trtdebug_modelopt.autocast import PYTHON_VARIABLE, AutocastError, convert, version

from trtdebug.core.intervention import PinPrecision, ReplaceGraph
from trtdebug.core.outcome import Signature
from trtdebug.graph.load import save_model
from trtdebug.plugins.testing import fix_context, run_fix

pytest_plugins = ["trtdebug.plugins.fixtures"]

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { a = Exp(x) y = Relu(a) }'
)
MIXED = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y)
       { a = Exp(x) a_16 = Cast <to = 10> (a) y_16 = Relu(a_16) y = Cast <to = 1> (y_16) }"""
)
for _node, _name in zip(MIXED.graph.node, ("node_of_a", "c1", "node_of_y", "c2"), strict=True):
    _node.name = _name

StandIn = Callable[[str], Path]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """`stand_in(code)`: a "Python" that has nvidia-modelopt 9.9, whose AutoCast is this code; `options` are its own."""
    save_model(MIXED, tmp_path / "canned.onnx")

    def make(code: str) -> Path:
        script = tmp_path / "python"
        script.write_text(
            f"#!{sys.executable}\nimport os, pathlib, shutil, sys\n"
            "if sys.argv[1] == '-c': print('9.9'); sys.exit()\n"
            "options = dict(zip(sys.argv[3::2], sys.argv[4::2]))\n"
            f"canned, seen = {str(tmp_path / 'canned.onnx')!r}, pathlib.Path({str(tmp_path)!r}) / 'seen'\n{code}\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv(PYTHON_VARIABLE, str(script))
        return script

    return make


WRITES = "shutil.copy(canned, options['--output_path'])"


def test_gives_its_model_and_version(stand_in: StandIn) -> None:
    stand_in(WRITES)
    mixed = convert(MODEL, [], "fp16")
    assert (mixed.version, [n.name for n in mixed.model.graph.node]) == (
        "9.9",
        ["node_of_a", "c1", "node_of_y", "c2"],
    )


def test_the_samples_are_its_calibration_data(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in(f"shutil.copytree(options['--calibration_data'], seen); {WRITES}")
    samples = [
        {"x": np.float32([1, 2]), "file": np.int64([3])},
        {"x": np.float32([4, 5]), "file": np.int64([6])},
    ]
    convert(MODEL, samples, "fp16")
    for sample, path in zip(samples, sorted((tmp_path / "seen").iterdir()), strict=True):
        with np.load(path, allow_pickle=False) as stored:
            assert {k: v.tolist() for k, v in stored.items()} == {k: v.tolist() for k, v in sample.items()}


def test_it_is_told_model_and_precision(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in(
        "seen.write_text(options['--low_precision_type'] + ' '.join(sys.argv)); "
        f"shutil.copy(options['--onnx_path'], seen.with_suffix('.onnx')); {WRITES}"
    )
    convert(MODEL, [], "bf16")
    told = (tmp_path / "seen").read_text()
    assert told.startswith("bf16")
    assert "-m modelopt.onnx.autocast" in told
    assert "--keep_io_types" in told
    assert onnx.load(tmp_path / "seen.onnx") == MODEL


def test_another_python_does_not_see_our_packages(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    stand_in(f"seen.write_text(os.environ.get('PYTHONPATH', 'none')); {WRITES}")
    convert(MODEL, [], "fp16")
    assert (tmp_path / "seen").read_text() == "none"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "print('INFO: x'); raise ValueError('no such thing')",
            "AutoCast 9.9 fails: ValueError: no such thing",
        ),
        ("sys.exit('killed')", "AutoCast 9.9 fails: killed"),
        ("sys.exit(1)", "AutoCast 9.9 fails: it says nothing"),
        ("", "AutoCast 9.9 wrote no model: There is no file"),
        ("open(options['--output_path'], 'w').write('junk')", "AutoCast 9.9 wrote no model: "),
        ("import time; time.sleep(60)", "AutoCast took more than 1 s."),
    ],
)
def test_failures_are_one_line(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    monkeypatch.setattr(autocast, "SECONDS", 1.0)
    stand_in(code)
    with pytest.raises(AutocastError) as error:
        convert(MODEL, [], "fp16")
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def test_a_python_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(bare))
    with pytest.raises(AutocastError, match=f"{bare} has no nvidia-modelopt: install .* {PYTHON_VARIABLE}"):
        version()


def test_no_python_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "/nowhere/python")
    with pytest.raises(AutocastError, match=f"{PYTHON_VARIABLE}=/nowhere/python cannot be run: No such file"):
        version()


# the fix -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fix(trtdebug_plugin):
    return trtdebug_plugin(trtdebug_modelopt).fixes()["autocast"]


def test_proposes_what_stays_in_fp32_beside_others(fix, stand_in: StandIn) -> None:
    stand_in(WRITES)
    (found,) = run_fix(fix, fix_context(MODEL, [["node_of_a"]]))
    assert (found.kind, found.beside, found.obstacle, found.cost) == ("pin", "AutoCast", "", 1)
    assert found.interventions == (PinPrecision(("node_of_a",), "fp32"),)
    assert found.summary == "pin 1 node to FP32 (AutoCast 9.9): node_of_a"


def test_proposes_the_mixed_model_where_there_are_no_pins(fix, stand_in: StandIn) -> None:
    stand_in(WRITES)
    kept = []

    def keep(model: onnx.ModelProto) -> ReplaceGraph:
        kept.append(model)
        return ReplaceGraph("kept.onnx", "")

    (found,) = run_fix(fix, fix_context(MODEL, [["node_of_a"]], realises={"ReplaceGraph"}, keep_model=keep))
    assert (found.beside, found.rounds, found.interventions) == (
        "AutoCast",
        True,
        (ReplaceGraph("kept.onnx", ""),),
    )
    assert [n.name for n in kept[0].graph.node] == ["node_of_a", "c1", "node_of_y", "c2"]
    assert run_fix(fix, fix_context(MODEL, [], realises={"Knob"})) == ()


def test_says_what_keeps_it_from_proposing(fix, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("raise ValueError('no such thing')")
    (found,) = run_fix(fix, fix_context(MODEL, []))
    assert (found.obstacle, found.interventions) == ("AutoCast 9.9 fails: ValueError: no such thing", ())
    stand_in("shutil.copy(seen.with_name('low.onnx'), options['--output_path'])")
    save_model(_all_low(), Path(os.environ[PYTHON_VARIABLE]).with_name("low.onnx"))
    (found,) = run_fix(fix, fix_context(MODEL, []))
    assert found.obstacle == "AutoCast 9.9 keeps no node in FP32: it pins nothing."


@pytest.mark.parametrize(
    "given",
    [{"precision": "fp32"}, {"precision": "int8"}, {"signature": Signature("build-failure")}],
)
def test_has_nothing_to_say_beyond_low_precision(fix, stand_in: StandIn, given) -> None:
    stand_in(WRITES)
    assert run_fix(fix, fix_context(MODEL, [], **given)) == ()


def _all_low() -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y)
           { x_16 = Cast <to = 10> (x) a = Exp(x_16) y_16 = Relu(a) y = Cast <to = 1> (y_16) }"""
    )
    for node, name in zip(model.graph.node, ("c1", "node_of_a", "node_of_y", "c2"), strict=True):
        node.name = name
    return model
