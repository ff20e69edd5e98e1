"""Rewritten models on real TensorRT: right with every node forced into FP16, and in builds as a user makes them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from rewriting import model_of, run

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.rewrite import Rewrite, apply

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
RIGHT = 1e-2
"""Relative RMS error of a healthy FP16 engine."""


def rewrite(name: str) -> Rewrite:
    found: Rewrite = importlib.import_module(f"trtdebug.fixes.rewrites.{name}").REWRITE
    return found


def layernorm_operator(monkeypatch: pytest.MonkeyPatch) -> Rewrite:
    monkeypatch.syspath_prepend(str(ROOT / "extensions" / "trtdebug-layernorm"))
    found: Rewrite = importlib.import_module("trtdebug_layernorm.operator").REWRITE
    return found


def rewritten(how: Rewrite, model: onnx.ModelProto) -> onnx.ModelProto:
    result = apply(how, model)
    assert result is not None
    return result


def error(model: onnx.ModelProto, feeds: dict[str, np.ndarray], folder: Path, *, forced: bool) -> float:
    """Relative RMS error of the first output of a fresh FP16 engine against onnxruntime; inf where it is not finite."""
    folder.mkdir(parents=True)
    save_model(model, folder / "model.onnx")
    request = BuildRequest(
        folder / "model.onnx",
        BuildOptions("fp16", optimization_level=0 if forced else None),
        folder,
        (ForcePrecision("fp16"),) if forced else (),
        profiles={name: Profile(value.shape, value.shape, value.shape) for name, value in feeds.items()},
    )
    engine = TensorrtBackend().build(request)
    name = model.graph.output[0].name
    low, exact = engine.run(feeds)[name].astype(np.float64), run(model, feeds)[name].astype(np.float64)
    engine.close()
    found = (
        float(np.linalg.norm(low - exact) / np.linalg.norm(exact)) if np.isfinite(low).all() else float("inf")
    )
    print(f"{folder.name}: {'forced' if forced else 'natural'} {found:.3g}")
    return found


@pytest.fixture
def attention(monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """A transformer whose LayerNorms overflow."""
    monkeypatch.syspath_prepend(str(ROOT / "samples"))
    model: onnx.ModelProto = importlib.import_module("attention").build()
    return model


def noise(*shape: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(1).normal(size=shape).astype(np.float32)}


def test_attention_with_scaled_squares(attention: onnx.ModelProto, tmp_path: Path) -> None:
    feeds = noise(1, 64, 256)
    assert error(attention, feeds, tmp_path / "plain", forced=True) > 0.5
    safe = rewritten(rewrite("scaled_square"), attention)
    assert error(safe, feeds, tmp_path / "forced", forced=True) < RIGHT
    for number in range(3):
        assert error(safe, feeds, tmp_path / f"build{number}", forced=False) < RIGHT


def test_attention_with_layernorm_operators(
    attention: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forced, and by itself: how 8.6 computes the operator's statistics in FP16 is measured, not taken for granted."""
    feeds = noise(1, 64, 256)
    safe = rewritten(layernorm_operator(monkeypatch), attention)
    assert error(safe, feeds, tmp_path / "forced", forced=True) < RIGHT
    for number in range(3):
        assert error(safe, feeds, tmp_path / f"build{number}", forced=False) < RIGHT


def test_magika_with_scaled_squares(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    """Its FP16 engine is right in one build and useless in the next; rewritten it is right in each, and forced."""
    model = load_model(model_path("magika_standard_v3_3.onnx"))
    feeds = {"bytes": np.random.default_rng(1).integers(0, 257, (4, 2048)).astype(np.int32)}
    assert error(model, feeds, tmp_path / "plain", forced=True) > 0.5
    safe = rewritten(rewrite("scaled_square"), model)
    assert error(safe, feeds, tmp_path / "forced", forced=True) < RIGHT
    for number in range(3):
        assert error(safe, feeds, tmp_path / f"build{number}", forced=False) < RIGHT


@pytest.mark.parametrize("loud", [300.0, 15000.0])
@pytest.mark.parametrize("centred", [True, False], ids=["LayerNorm", "RMSNorm"])
def test_norms(centred: bool, loud: float, tmp_path: Path) -> None:
    d = "m = ReduceMean <axes = [-1]> (z) d = Sub(z, m)" if centred else "d = Identity(z)"
    body = (
        f"z = Mul(x, loud) {d} s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) e = Add(v, eps) r = Sqrt(e) "
        "n = Div(d, r) y = Mul(n, half)"
    )
    values = {"loud": np.float32(loud), "eps": np.float32(1e-5), "half": np.float32(0.5)}
    safe = rewritten(rewrite("scaled_square"), model_of(body, [16, 256], values))
    feeds = {"x": np.clip(noise(16, 256)["x"], -3, 3)}
    assert error(safe, feeds, tmp_path / "forced", forced=True) < RIGHT
    assert error(safe, feeds, tmp_path / "natural", forced=False) < RIGHT


def test_softmax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "samples"))
    model = importlib.import_module("exp_overflow").build()
    assert error(model, noise(8, 64), tmp_path / "plain", forced=True) > 0.5
    assert error(rewritten(rewrite("softmax"), model), noise(8, 64), tmp_path / "forced", forced=True) < RIGHT


def test_rows_that_are_masked_as_a_whole(tmp_path: Path) -> None:
    mask = np.triu(np.full((16, 16), -1e9, np.float32), k=1)
    mask[3] = -1e9
    body = "h = MatMul(x, w) a = Add(h, mask) p = Softmax <axis = -1> (a) y = MatMul(p, w)"
    weight = np.random.default_rng(0).normal(0, 0.25, (16, 16)).astype(np.float32)
    model = model_of(body, [16, 16], {"mask": mask, "w": weight})
    safe = rewritten(rewrite("masks"), model)
    assert error(safe, noise(16, 16), tmp_path / "forced", forced=True) < RIGHT
    assert error(safe, noise(16, 16), tmp_path / "natural", forced=False) < RIGHT


def test_clips_pairs_and_narrow_indices_build(tmp_path: Path) -> None:
    body = (
        "h = MatMul(x, w) u = Unsqueeze(h, one) a = Relu(u) s = Squeeze(a, one) g = Gather(s, rows) "
        "b = Min(g, hi) c = Max(b, lo) y = MatMul(c, w)"
    )
    values = {
        "w": np.random.default_rng(0).normal(0, 0.25, (16, 16)).astype(np.float32),
        "one": np.int64([1]),
        "rows": np.int64([3, 1, 2, 0]),
        "lo": np.float32(0.1),
        "hi": np.float32(1.5),
    }
    model = model_of(body, [8, 16], values)
    for name in ("clip", "pairs", "narrow_int64"):
        model = rewritten(rewrite(name), model)
    assert error(model, noise(8, 16), tmp_path / "forced", forced=True) < RIGHT


def test_an_exponent_of_another_type_builds_once_it_has_the_type_of_its_base(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(0, 0.25, (16, 16)).astype(np.float32)
    model = model_of(
        "h = MatMul(x, w) p = Pow(h, two) y = MatMul(p, w)", [8, 16], {"w": weight, "two": np.int32(2)}
    )
    with pytest.raises(BuildFailure, match="Pow"):
        error(model, noise(8, 16), tmp_path / "plain", forced=False)
    assert (
        error(rewritten(rewrite("narrow_int64"), model), noise(8, 16), tmp_path / "typed", forced=True)
        < RIGHT
    )


def test_without_pins_magika_is_cured_by_a_rewrite(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    line = [
        sys.executable,
        "-m",
        "trtdebug",
        "-p",
        "no:fixes",
        "fix",
        model_path("magika_standard_v3_3.onnx"),
    ]
    words = [
        "--fp16",
        "--input-shapes",
        "bytes:[4,2048]",
        "--builds",
        "1",
        "--fix-builds",
        "3",
        "--json",
        "--quiet",
    ]
    done = subprocess.run(
        [*map(str, line), *words, "--session", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    fix = json.loads(done.stdout)["fixes"][-1]
    print(fix["summary"], fix["note"], fix["latency_ratio"])
    assert fix["verified"], fix["reason"]
    assert (fix["kind"], fix["builds_passed"]) == ("rewrite", [3, 3])
