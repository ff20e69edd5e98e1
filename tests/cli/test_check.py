"""`trtdebug check`: what the plugin libraries are for, and nothing on stderr that nobody asked for."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from capability_models import custom_operator
from in_process import trtdebug
from seed_models import model_of, node, value


@pytest.fixture
def model(tmp_path: Path) -> Path:
    onnx.save(custom_operator(), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def found(*words: object) -> set[str]:
    return {f["id"] for f in json.loads(trtdebug("check", *words, "--json").stdout)}


def test_a_plugin_library_answers_for_its_operators(model: Path) -> None:
    library = model.with_name("plugins.so")
    library.write_bytes(b"")
    assert "custom-operator" in found(model)
    assert "custom-operator" not in found(model, "--plugins", library)


def test_a_library_that_is_not_there(model: Path) -> None:
    done = trtdebug("check", model, "--plugins", "nowhere.so")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no plugin library nowhere.so.")


def test_onnxruntime_itself_says_nothing(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What it refuses is a finding; its own lines go to the process's stderr, past Python."""
    assert "reference-cannot-run" in found(model)
    assert capfd.readouterr().err == ""


def test_of_many_findings_of_a_check_three_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    inputs = [value("x", [2]), *(value(f"unread{i}", [2]) for i in range(9))]
    model = model_of([node("Neg", ["x"], ["y"], "neg")], inputs, [value("y", [2])])
    onnx.save(model, tmp_path / "model.onnx")
    every = json.loads(trtdebug("check", tmp_path / "model.onnx", "--json").stdout)
    assert [f["id"] for f in every] == ["dead-input"] * 9
    shown = trtdebug("check", tmp_path / "model.onnx").stdout.splitlines()
    assert sum("dead-input [" in line for line in shown) == 3
    assert shown[-2] == "        dead-input: ... and 6 more, see --json"
    assert shown[-1].startswith("9 finding(s) by ")
