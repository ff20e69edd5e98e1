"""The Python API on real TensorRT."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import onnx
import pytest

import trtdebug

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def sample(name: str) -> onnx.ModelProto:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(SAMPLES), *sys.path])
        return runpy.run_path(str(SAMPLES / f"{name}.py"))["build"]()


def test_debug_finds_the_cause_and_measures_the_fix(tmp_path: Path) -> None:
    model = sample("layernorm_overflow")
    result = trtdebug.debug(model, fp16=True, candidate="tensorrt", until="fix", session=tmp_path / "s")
    assert result.verdict in ("diverges", "fragile")
    named = {n for c in result.culprits for n in c.nodes}
    assert named == {"norm_pow", "norm_var", "norm_eps", "norm_sqrt"}
    assert result.fix is not None
    assert result.fix.latency_ms is not None
    assert "NVIDIA" in result.diagnosis.candidate.device
    assert result.report["candidate"]["backend"] == "tensorrt"


def test_assert_matches_takes_a_near_miss_and_refuses_a_wrong_model(tmp_path: Path) -> None:
    mask, broken = sample("softmax_mask"), sample("layernorm_overflow")
    trtdebug.assert_matches(mask, fp16=True, candidate="tensorrt", session=tmp_path / "mask", fragile=True)
    with pytest.raises(AssertionError, match="cause: norm_pow"):
        trtdebug.assert_matches(
            broken, fp16=True, candidate="tensorrt", until="localise", session=tmp_path / "broken"
        )


def test_compare_has_both_errors(tmp_path: Path) -> None:
    table = trtdebug.compare(
        sample("layernorm_overflow"), fp16=True, candidate="tensorrt", session=tmp_path / "s"
    )
    assert len(table) > 10
    assert any(row.local is not None for row in table)
    assert "<svg" in table._repr_html_()
