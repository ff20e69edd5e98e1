"""The fix ladder on real TensorRT: refused, replaced, and right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from rewriting import Array, model_of, run

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.fixes.ladder.bytes import without_bytes
from trtdebug.fixes.ladder.sources import sources
from trtdebug.graph.expand import expand
from trtdebug.graph.load import save_model

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
RNG = np.random.default_rng(0)


def weights(*shape: int) -> Array:
    return RNG.integers(0, 256, shape).astype(np.uint8)


def built_and_run(model: onnx.ModelProto, feeds: Mapping[str, Array], folder: Path) -> dict[str, Array]:
    folder.mkdir(parents=True)
    save_model(model, folder / "model.onnx")
    request = BuildRequest(folder / "model.onnx", BuildOptions(tf32=False, optimization_level=0), folder)
    engine = TensorrtBackend().build(request)
    outputs = engine.run(feeds)
    engine.close()
    return outputs


def floats(*shape: int) -> dict[str, Array]:
    return {"x": RNG.normal(size=shape).astype(np.float32)}


BYTES = {"w": weights(32, 8), "z": np.array(128, np.uint8), "s": np.float32(0.02)}
CASES: Mapping[str, tuple[Callable[[], onnx.ModelProto], dict[str, Array], set[str]]] = {
    "Det": (lambda: model_of("h = Tanh(x) d = Det(h) y = Neg(d)", [4, 3, 3]), floats(4, 3, 3), {"Det"}),
    "Compress": (
        lambda: model_of(
            "h = Tanh(x) y = Compress<axis=1>(h, c)", [3, 4], {"c": np.array([True, False, True])}
        ),
        floats(3, 4),
        {"Compress"},
    ),
    "Hardmax": (lambda: model_of("h = Tanh(x) y = Hardmax(h)", [3, 4]), floats(3, 4), {"Hardmax"}),
    "Shrink": (lambda: model_of("h = Tanh(x) y = Shrink(h)", [3, 4], opset=17), floats(3, 4), {"Shrink"}),
    "Celu": (lambda: model_of("h = Tanh(x) y = Celu<alpha=2.0>(h)", [3, 4]), floats(3, 4), {"Celu"}),
    "Mish": (lambda: model_of("h = Tanh(x) y = Mish(h)", [3, 4], opset=18), floats(3, 4), {"Mish"}),
    "Gelu": (lambda: model_of("h = Tanh(x) y = Gelu(h)", [3, 4], opset=20), floats(3, 4), {"Gelu"}),
    "AffineGrid": (
        lambda: model_of(
            "h = Tanh(x) y = AffineGrid(h, s)", [2, 2, 3], {"s": np.array([2, 1, 3, 4])}, opset=20
        ),
        floats(2, 2, 3),
        {"AffineGrid"},
    ),
    "CumSum": (
        lambda: model_of("h = Tanh(x) y = CumSum<reverse=1>(h, a)", [3, 40], {"a": np.int64(1)}),
        floats(3, 40),
        {"CumSum"},
    ),
    "bits": (
        lambda: model_of(
            "z = BitwiseAnd(x, k) y = BitwiseXor(z, x)",
            [4, 5],
            {"k": np.int32(-7)},
            opset=18,
            outputs="int32 y",
            dtype="int32",
        ),
        {"x": RNG.integers(-(2**31), 2**31 - 1, (4, 5)).astype(np.int32)},
        {"BitwiseAnd", "BitwiseXor"},
    ),
    "dynamic quantisation": (
        lambda: model_of(
            "q, p, o = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, o, z) f = Cast<to=1>(i) y = Mul(f, p)",
            [4, 32],
            {"w": BYTES["w"], "z": BYTES["z"]},
        ),
        floats(4, 32),
        {"DynamicQuantizeLinear", "MatMulInteger"},
    ),
    "a quantised product": (
        lambda: model_of(
            "q = QuantizeLinear(x, s, z) c = QLinearMatMul(q, s, z, w, s, z, s, z) y = DequantizeLinear(c, s, z)",
            [4, 32],
            BYTES,
        ),
        floats(4, 32),
        {"QuantizeLinear", "QLinearMatMul", "DequantizeLinear"},
    ),
}
TAKEN_BY_8_6 = {"Shrink", "Celu", "CumSum"}
"""Of these, what TensorRT 8.6 takes itself; it refuses all others."""


@pytest.mark.parametrize("name", CASES)
def test_8_6_refuses_what_the_documents_say(name: str, tmp_path: Path) -> None:
    if not TensorrtBackend().probe().version.startswith("8.6"):
        pytest.skip("what other versions refuse is another list")
    make, feeds, ops = CASES[name]
    if name in TAKEN_BY_8_6:
        built_and_run(make(), feeds, tmp_path / "plain")
        return
    with pytest.raises(BuildFailure) as failure:
        built_and_run(make(), feeds, tmp_path / "plain")
    assert any(f"({op})" in failure.value.message for op in ops)


@pytest.mark.parametrize("name", CASES)
def test_what_stands_in_the_place_of_an_operator_builds_and_is_right(name: str, tmp_path: Path) -> None:
    make, feeds, ops = CASES[name]
    model = make()
    found = expand(model, lambda call: call.op in ops, sources(()))
    assert found is not None
    ours, theirs = built_and_run(without_bytes(found.model), feeds, tmp_path / "replaced"), run(model, feeds)
    scale = float(np.abs(theirs["y"].astype(np.float64)).max()) or 1.0
    # a quotient that lies half-way between two whole numbers may be rounded to either: one step
    step = float(BYTES["s"]) if "quanti" in name else 0.0
    np.testing.assert_allclose(ours["y"], theirs["y"], rtol=0, atol=1e-5 * scale + step)


def test_det_is_refused_named_replaced_and_verified(tmp_path: Path) -> None:
    onnx.save(CASES["Det"][0](), tmp_path / "model.onnx")
    words = ["fix", "model.onnx", "--builds", "1", "--fix-builds", "2", "--json", "--quiet", "--session", "s"]
    done = subprocess.run(
        [sys.executable, "-m", "trtdebug", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    print(json.dumps(report, indent=1))
    assert report["signature"]["kind"] == "build-failure"
    assert [c["nodes"] for c in report["culprits"]] == [["node_of_d"]]
    fix = report["fixes"][-1]
    assert (fix["kind"], fix["verified"], fix["builds_passed"]) == ("rewrite", True, [2, 2])
    assert fix["summary"] == "Det node_of_d replaced by equal operators"
    assert (tmp_path / "s" / "fix" / "rewritten.onnx").is_file()
