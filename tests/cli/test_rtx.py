"""`trtdebug run` with TensorRT-RTX and no GPU: what builds cannot run and says so, what does not build is named."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from capability_models import MODELS
from in_process import trtdebug
from rtx_extension import rtx_paths


@pytest.fixture(autouse=True)
def rtx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension and TensorRT-RTX are there, and no GPU."""
    for path in rtx_paths(tmp_path / "site"):
        monkeypatch.syspath_prepend(path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")


def run(name: str, folder: Path):
    path = folder / f"{name}.onnx"
    onnx.save(MODELS[name](), path)
    words = ("run", path, "--candidate", "tensorrt-rtx", "--session", folder / "session", "--quiet", "--json")
    done = trtdebug(*words)
    return done.code, json.loads(done.stdout)


def test_what_builds_is_untestable_for_want_of_a_gpu(tmp_path: Path) -> None:
    code, report = run("linear", tmp_path)
    assert (code, report["verdict"], report["candidate"]["backend"]) == (4, "untestable", "tensorrt-rtx")
    assert "no GPU here" in report["reason"]
    assert report["culprits"] == []


def test_what_does_not_build_is_named(tmp_path: Path) -> None:
    code, report = run("identity_nonzero_identity", tmp_path)
    assert (code, report["verdict"], report["signature"]["kind"]) == (4, "untestable", "build-failure")
    assert [culprit["nodes"] for culprit in report["culprits"]] == [["n1"]]
    assert "UNSUPPORTED_NODE" in report["reason"]
