"""Rewritten models are parsed and built, every node in FP16, by TensorRT-RTX: real parser and builder, no GPU."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import bindings
import numpy as np
import onnx
import pytest
from rewriting import model_of
from rtx_build import Built, Job

from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.rewrite import apply

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = Path(bindings.__file__).with_name("rtx_build.py")
MASK = np.triu(np.full((16, 16), -1e9, np.float32), k=1)
WEIGHT = np.random.default_rng(0).normal(0, 0.25, (16, 16)).astype(np.float32)
OWN = {
    "masks": ("a = Add(x, mask) p = Softmax <axis = -1> (a) y = MatMul(p, w)", {"mask": MASK, "w": WEIGHT}),
    "clip": (
        "h = MatMul(x, w) b = Min(h, hi) y = Max(b, lo)",
        {"w": WEIGHT, "hi": np.float32(1), "lo": np.float32(0)},
    ),
    "pairs": (
        "h = MatMul(x, w) u = Unsqueeze(h, one) a = Relu(u) y = Squeeze(a, one)",
        {"w": WEIGHT, "one": np.int64([1])},
    ),
    "narrow_int64": (
        "h = MatMul(x, w) g = Gather(h, rows) y = Pow(g, two)",
        {"w": WEIGHT, "rows": np.int64([1, 0]), "two": np.int64(2)},
    ),
    "loop_condition": (
        "y = Loop <body = body (int64 i, bool go, float[16,16] a) => (bool on, float[16,16] b) "
        "{ on = Identity(go) b = Add(a, a) }> (three, , x)",
        {"three": np.int64(3)},
    ),
}


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], onnx.ModelProto]:
    """A sample, or one of the models above."""
    monkeypatch.syspath_prepend(str(ROOT / "samples"))
    monkeypatch.syspath_prepend(str(ROOT / "extensions" / "trtdebug-layernorm"))

    def make(name: str) -> onnx.ModelProto:
        if name in OWN:
            return model_of(OWN[name][0], [16, 16], OWN[name][1])
        model: onnx.ModelProto = importlib.import_module(name).build()
        return model

    return make


def job(model: onnx.ModelProto, rewrite: str, folder: Path, **options: object) -> Job:
    """The forced build of the model, rewritten by the module of this name."""
    result = apply(importlib.import_module(rewrite).REWRITE, model)
    assert result is not None, rewrite
    folder.mkdir()
    save_model(result, folder / "model.onnx")
    return Job(str(folder / "model.onnx"), "fp16", force=True, **options)  # type: ignore[arg-type]


def built(child: Callable[..., object], jobs: list[Job]) -> list[Built]:
    lines = "\n".join(json.dumps(asdict(job)) for job in jobs)
    done = child(bindings.RTX).run(str(SCRIPT), said=lines)  # type: ignore[attr-defined]
    return [Built(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"size"')]


def test_every_rewrite_builds(child, models: Callable[[str], onnx.ModelProto], tmp_path: Path) -> None:
    own = "trtdebug.fixes.rewrites."
    pairs = [(name, own + name) for name in OWN]
    pairs += [("attention", own + "scaled_square"), ("attention", "trtdebug_layernorm.operator")]
    pairs += [("layernorm_overflow", own + "scaled_square"), ("exp_overflow", own + "softmax")]
    jobs = [job(models(name), how, tmp_path / str(number)) for number, (name, how) in enumerate(pairs)]
    assert {pair: b.failure for pair, b in zip(pairs, built(child, jobs), strict=True)} == dict.fromkeys(
        pairs, ""
    )


def test_magika_and_minilm_with_scaled_squares_build(
    child, tmp_path: Path, model_path: Callable[[str], Path]
) -> None:
    how = "trtdebug.fixes.rewrites.scaled_square"
    shapes = {
        "magika_standard_v3_3": {"bytes": [4, 2048]},
        "minilm_l6_v4096": {"input_ids": [2, 64], "attention_mask": [2, 64]},
    }
    jobs = [job(load_model(model_path(f"{n}.onnx")), how, tmp_path / n, shapes=s) for n, s in shapes.items()]
    assert [b.failure for b in built(child, jobs)] == ["", ""]
