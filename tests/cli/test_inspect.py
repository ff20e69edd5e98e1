"""`trtdebug inspect` and `compare --engine`, as far as they go without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from autotuning_logs import EDITABLE
from engine_json import TRT8
from in_process import jobs_run_here
from seed_models import clamped_gemm
from typer.testing import CliRunner

from trtdebug.cli.app import app

HEAD = b"ftrt\0\0\0\0" + bytes(16) + bytes([10, 16, 1, 11])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(clamped_gemm(), tmp_path / "m.onnx")
    (tmp_path / "layers.json").write_text(TRT8)
    (tmp_path / "other.json").write_text(TRT8.replace("sm90_xmma_fprop", "sm80_xmma_fprop"))
    (tmp_path / "garbage.engine").write_bytes(bytes(range(256)))
    (tmp_path / "of10.engine").write_bytes(HEAD + bytes(100))
    return tmp_path


def trtdebug(line: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, line.split())
    return done.exit_code, done.stdout, done.stderr


def test_a_model(folder: Path) -> None:
    code, text, _ = trtdebug("inspect m.onnx --nodes")
    assert code == 0
    assert text.startswith("m.onnx: IR ")
    assert sorted(p.name for p in folder.iterdir()) == [
        "garbage.engine",
        "layers.json",
        "m.onnx",
        "of10.engine",
        "other.json",
    ]


def test_an_output_that_is_no_tensor(folder: Path) -> None:
    nodes = [onnx.helper.make_node("SequenceConstruct", ["x"], ["s"])]
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 8])
    s = onnx.helper.make_tensor_sequence_value_info("s", onnx.TensorProto.FLOAT, [1, 8])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [x], [s])), folder / "s.onnx")
    assert "\noutput  s (no tensor, or of unknown type)\n" in trtdebug("inspect s.onnx")[1]


def test_recorded_layers(folder: Path) -> None:
    code, text, _ = trtdebug("inspect layers.json")
    assert code == 0
    assert "fp16 -> fp16     CaskConvolution conv1 + relu1" in text
    code, text, _ = trtdebug("inspect layers.json --json")
    layers = json.loads(text)["layers"]
    assert layers[1]["nodes"] == ["conv1", "relu1"]
    assert layers[0]["reads"] == ["fp32"]


def test_a_build_log(folder: Path) -> None:
    (folder / "build.log").write_text(EDITABLE, encoding="utf-8")
    code, text, _ = trtdebug("inspect build.log")
    assert code == 0
    assert text.startswith("2 autotuned, 4 tactics; ")
    assert "  *   0.010000 ms    1.00x  0x665ded9abbf88  gemm_tf32_32x32\n" in text
    code, text, _ = trtdebug("inspect build.log --json")
    assert [len(op["candidates"]) for op in json.loads(text)["ops"]] == [3, 1]
    for more in ("--fp16", "--nodes", "other.json"):
        code, text, errors = trtdebug(f"inspect build.log {more}")
        assert (code, text) == (2, "")
        assert "build.log is a build log: it shows tactics, and nothing else." in errors


def test_two_side_by_side(folder: Path) -> None:
    code, text, _ = trtdebug("inspect layers.json other.json")
    assert code == 0
    assert text.startswith("2 layers are alike, 1 differences\ntactic: conv1, relu1\n")
    code, text, _ = trtdebug("inspect layers.json other.json --json")
    data = json.loads(text)
    assert data["same"] == 2
    assert data["differences"][0]["differs"] == ["tactic"]
    assert data["second"]["layers"][1]["tactic"].startswith("sm80_xmma_fprop")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("inspect garbage.engine", "garbage.engine is no serialized TensorRT engine"),
        ("inspect layers.json garbage.engine", "garbage.engine is no serialized TensorRT engine"),
        ("inspect layers.json --fp16", "--fp16 is of no use: layers.json is an engine already"),
        ("inspect layers.json --profile", "layers.json is a record of an engine, which can't be timed"),
        ("inspect layers.json --nodes", "--nodes lists the nodes of a model"),
        ("inspect missing.engine", "missing.engine can't be read"),
        ("inspect missing.json", "missing.json can't be read"),
        ("inspect .", ". is neither a session nor a trial"),
        ("compare m.onnx --engine garbage.engine", "garbage.engine is no serialized TensorRT engine"),
        ("compare m.onnx --engine missing.plan", "missing.plan can't be read"),
        (
            "compare m.onnx --engine m.onnx",
            "m.onnx is an ONNX model, and --engine takes a serialized TensorRT engine",
        ),
        ("compare m.onnx --engine m.onnx", "Give the model as --candidate-model."),
        ("compare m.onnx --engine layers.json", "layers.json is no serialized TensorRT engine"),
        ("compare m.onnx --engine of10.engine --candidate emulator", "emulator loads no serialized engine"),
        ("compare m.onnx --engine of10.engine --candidate-model m.onnx", "exclude each other"),
        ("run m.onnx --candidate-model of10.engine", "of10.engine is a serialized engine"),
        ("bisect m.onnx --candidate-model garbage.engine", "garbage.engine is a serialized engine"),
    ],
)
def test_what_cannot_be_is_one_line(folder: Path, line: str, said: str) -> None:
    code, text, errors = trtdebug(line)
    assert (code, text) == (2, "")
    assert said in errors
    assert not (folder / ".trtdebug").exists()


def test_the_emulator_has_no_layers_to_show(folder: Path) -> None:
    with jobs_run_here():
        code, text, errors = trtdebug("inspect m.onnx --fp16 --candidate emulator --quiet")
        assert (code, text) == (4, "")
        assert "emulator shows no engine layers" in errors
        code, text, _ = trtdebug("compare m.onnx --fp16 --candidate emulator --quiet --profile")
    assert "note: emulator does not time layers" in text


def test_an_engine_is_built_with_the_users_marks(folder: Path) -> None:
    with jobs_run_here():
        trtdebug("inspect m.onnx --fp16 --mark relu --candidate emulator --session s --quiet")
    [trial] = map(json.loads, (path.read_text() for path in folder.glob("s/trials/*/trial.json")))
    assert [i["tensors"] for i in trial["interventions"]] == [["relu"]]
