"""The main job on real TensorRT."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]


def trtdebug(*words: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and report of `trtdebug run`."""
    done = subprocess.run(
        [sys.executable, "-m", "trtdebug", "run", *map(str, words), "--json", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def named(report: dict[str, Any]) -> set[str]:
    assert all(c["proven"] for c in report["culprits"])
    return {n for c in report["culprits"] for n in c["nodes"]}


def test_attention_is_taken_to_exactly_its_twelve_nodes(tmp_path: Path) -> None:
    model = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
    code, report = trtdebug(model, "--fp16", "--session", tmp_path / "session")
    norms, parts = ("b3_ln1", "b3_ln2", "lnf"), ("pow", "var", "eps", "sqrt")
    assert code == 1
    assert report["verdict"] in ("diverges", "fragile")
    assert named(report) == {f"{norm}_{part}" for norm in norms for part in parts}
    assert report["fixes"][-1]["verified"]
    assert report["fixes"][-1]["builds_passed"] == [5, 5]
    assert report["repro"]["verified"], report["repro"]["note"]
    localising = {s["name"]: s["trials"] for s in report["stages"] if s["name"] in ("observe", "localise")}
    assert sum(localising.values()) <= 3


def test_magika_is_never_called_healthy(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    model = model_path("magika_standard_v3_3.onnx")
    code, report = trtdebug(model, "--fp16", "--input-shapes", "bytes:[4,2048]", "--session", tmp_path / "s")
    assert code == 1
    assert report["verdict"] in ("diverges", "fragile")
    assert {n.rsplit("MagikaV2/", 1)[-1] for n in named(report)} == {
        "LayerNorm_1/Sum_1",
        "LayerNorm_1/truediv_1",
    }
    assert report["fixes"][-1]["builds_passed"] == [5, 5]
    assert report["repro"]["verified"], report["repro"]["note"]


@pytest.mark.parametrize("name", ["silero_vad_16k_static.onnx", "polygraphy/residual_block.onnx"])
def test_healthy_models_match(tmp_path: Path, model_path: Callable[[str], Path], name: str) -> None:
    code, report = trtdebug(model_path(name), "--fp16", "--session", tmp_path / "s")
    assert (code, report["verdict"]) == (0, "matches"), report["reason"]


def test_minilm_matches_in_two_shapes(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    for shape in ("[2,64]", "[1,16]"):
        shapes = ["--input-shapes", f"input_ids:{shape}", "--input-shapes", f"attention_mask:{shape}"]
        session = tmp_path / shape.strip("[]")
        code, report = trtdebug(
            model_path("minilm_l6_v4096.onnx"),
            "--fp16",
            *shapes,
            "--val-range",
            "attention_mask:[1,1]",
            "--session",
            session,
        )
        assert (code, report["verdict"]) == (0, "matches"), report["reason"]
