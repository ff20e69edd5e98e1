"""A repro in a fresh process: it fails as it should, or says why it can't tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Signature
from trtdebug.repro.export import export
from trtdebug.repro.verify import verify

CULPRITS = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """repro.py as a stranger runs it: from elsewhere, with nothing of this project on the path."""
    return subprocess.run(
        [sys.executable, "-I", str(folder / "repro.py"), *arguments],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        check=False,
    )


def test_the_overflow_shows_in_a_fresh_process(layernorm, tmp_path: Path) -> None:
    folder = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    done = verify(folder)
    assert (done.reproduced, done.signature) == (True, "nonfinite")
    shown = run(folder)
    assert shown.returncode == 1
    assert "norm_sqrt" in shown.stdout
    assert "the failure shows: nonfinite" in shown.stdout


def test_wrong_numbers_and_nonfinite_ones_are_one_failure_but_another_kind_is_not(
    layernorm, tmp_path: Path
) -> None:
    folder = export(layernorm.spec(CULPRITS, kind="mismatch"), tmp_path / "repro").path
    assert verify(folder).reproduced is True
    folder = export(layernorm.spec(CULPRITS, kind="shape"), tmp_path / "repro").path
    assert verify(folder).reproduced is False
    done = verify(folder)
    assert (done.signature, done.output) == ("nonfinite", "another failure shows: nonfinite, not shape")


def test_a_loose_element_rule_lets_finite_errors_pass(layernorm, tmp_path: Path) -> None:
    spec = replace(layernorm.spec(["fc1", "fc1_bias", "fc1_relu"]), limit=1e-9)
    assert verify(export(spec, tmp_path / "repro").path).signature == "mismatch"
    assert verify(export(replace(spec, atol=1e3), tmp_path / "repro").path).reproduced is False
    assert verify(export(replace(spec, atol=0.0), tmp_path / "repro").path).signature == "mismatch"


def test_a_healthy_piece_does_not_fail(layernorm, tmp_path: Path) -> None:
    folder = export(layernorm.spec(["fc1", "fc1_bias", "fc1_relu"]), tmp_path / "repro").path
    done = verify(folder)
    assert (done.reproduced, done.signature, done.output) == (False, None, "the failure does not show")
    assert run(folder).returncode == 0


def test_pinning_the_piece_cures_it(layernorm, tmp_path: Path) -> None:
    spec = replace(layernorm.spec(CULPRITS), pinned=CULPRITS)
    assert verify(export(spec, tmp_path / "repro").path).reproduced is False


def test_the_piece_is_right_in_fp32(layernorm, tmp_path: Path) -> None:
    folder = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    assert run(folder, "--backend", "onnxruntime").returncode == 0


def test_odd_names_and_folders(odd_names, tmp_path: Path) -> None:
    folder = tmp_path / "a folder: 'q' 层"
    export(odd_names.spec(odd_names.index.order), folder)
    assert verify(folder).reproduced is True


@pytest.mark.parametrize(
    "victim", ["emulated.onnx", "inputs/000_norm_centre.npy", "expected/000_norm_sqrt.npy"]
)
def test_a_missing_or_damaged_file_can_not_be_tested(layernorm, tmp_path: Path, victim: str) -> None:
    folder = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    (folder / victim).write_bytes(b"\x08")
    assert run(folder).returncode == 125
    (folder / victim).unlink()
    shown = run(folder)
    assert shown.returncode == 125
    assert f"{victim} is missing" in shown.stdout
    done = verify(folder)
    assert (done.reproduced, done.output) == (None, f"could not be tested: {victim} is missing")


def test_a_missing_manifest_can_not_be_tested(layernorm, tmp_path: Path) -> None:
    folder = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    (folder / "repro.json").unlink()
    shown = run(folder, "--json")
    assert shown.returncode == 125
    assert json.loads(shown.stdout)["reason"] == "repro.json is missing"
    with pytest.raises(UserError, match="is no repro"):
        verify(folder)


def test_tensorrt_without_a_gpu_can_not_be_tested(layernorm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    folder = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    shown = run(folder, "--backend", "tensorrt")
    assert shown.returncode == 125
    assert "can't be tested: " in shown.stdout


@pytest.mark.gpu
def test_the_overflow_shows_on_tensorrt_and_pinning_cures_it(layernorm, tmp_path: Path) -> None:
    spec = replace(layernorm.spec(CULPRITS), candidate="tensorrt")
    done = verify(export(spec, tmp_path / "repro").path, timeout=300)
    assert done.reproduced is True, done.output
    cured = verify(export(replace(spec, pinned=CULPRITS), tmp_path / "repro").path, timeout=300)
    assert cured.reproduced is False, cured.output


@pytest.mark.gpu
def test_a_healthy_piece_passes_on_tensorrt(layernorm, tmp_path: Path) -> None:
    spec = replace(layernorm.spec(["fc1", "fc1_bias", "fc1_relu"]), candidate="tensorrt")
    done = verify(export(spec, tmp_path / "repro").path, timeout=300)
    assert done.reproduced is False, done.output


def test_a_backend_that_needs_trtdebug_can_not_be_tested(layernorm, tmp_path: Path) -> None:
    spec = replace(layernorm.spec(CULPRITS), candidate="my-own")
    done = verify(export(spec, tmp_path / "repro").path)
    assert done.reproduced is None
    assert done.output.startswith(
        "could not be tested: my-own is a backend of a trtdebug extension, so it takes `trtdebug repro check"
    )


def test_a_model_that_does_not_load_shows_only_where_that_is_the_failure(layernorm, tmp_path: Path) -> None:
    spec = layernorm.spec(CULPRITS)
    for kind, code in (("build-failure", 1), ("mismatch", 125)):
        folder = export(replace(spec, signature=Signature(kind)), tmp_path / "repro").path
        (folder / "emulated.onnx").write_bytes(b"not a model")
        assert run(folder).returncode == code
        assert verify(folder).reproduced is (True if code == 1 else None)


@pytest.mark.parametrize(
    ("code", "kind", "other"),
    [
        ("import time; time.sleep(60)", "timeout", None),
        ("import os; os.kill(os.getpid(), 11)", "crash", None),
    ],
)
def test_hangs_and_crashes(layernorm, tmp_path: Path, code: str, kind: str, other: None) -> None:
    spec = layernorm.spec(CULPRITS)
    for expected, reproduced in ((kind, True), ("mismatch", other)):
        folder = export(replace(spec, signature=Signature(expected)), tmp_path / "repro").path
        (folder / "repro.py").write_text(code)
        done = verify(folder, timeout=5 if kind == "crash" else 0.5)
        assert (done.reproduced, done.signature) == (reproduced, kind)


@pytest.mark.parametrize("code", ["raise SystemExit(7)", "1/0", "print('[]'); raise SystemExit(1)"])
def test_a_script_that_breaks_says_nothing_about_the_failure(layernorm, tmp_path: Path, code: str) -> None:
    folder = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    (folder / "repro.py").write_text(code)
    done = verify(folder)
    assert done.reproduced is None
    assert done.output.startswith("could not be tested: repro.py ended with exit code ")
    assert "\n" not in done.output
