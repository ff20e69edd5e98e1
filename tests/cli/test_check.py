"""`trtdebug check`: what the plugin libraries are for, and nothing on stderr that nobody asked for."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from capability_models import custom_operator
from in_process import trtdebug


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
