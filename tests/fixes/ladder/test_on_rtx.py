"""From what NVIDIA's own parser refuses to a model that it builds. Without a GPU nothing runs: "verified" it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from command_line import trtdebug
from rewriting import Array, model_of
from rtx_diagnoses import diagnosed, use_rtx

from trtdebug.core.diagnosis import Diagnosis, Fix

BUILT = "TensorRT-RTX built the engine, but cannot run it here"
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def rtx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_rtx(monkeypatch, tmp_path / "site")


def weights(rows: int, columns: int) -> Array:
    return RNG.integers(0, 256, (rows, columns)).astype(np.uint8)


def bytes_128() -> Array:
    return np.array(128, np.uint8)


def fixed(model: onnx.ModelProto, folder: Path, **inputs: Array) -> tuple[Diagnosis, list[Fix]]:
    """The diagnosis, and those fixes with which a real engine was built."""
    onnx.save(model, folder / "model.onnx")
    found = diagnosed(folder / "model.onnx", folder, **inputs)
    assert found.signature is not None
    assert found.signature.kind == "build-failure"
    assert not any(fix.verified for fix in found.fixes)
    assert found.fix_folder is None
    built = [fix for fix in found.fixes if fix.reason.startswith(BUILT)]
    for fix in built:
        assert fix.kind == "rewrite"
        assert fix.untestable
        assert fix.note.startswith("equal on the reference on 1 sample")
    return found, built


IF = """y = If (c) <
    then_branch = a () => (float t) { t = Det(x) }, else_branch = b () => (float e) { e = ReduceSum<keepdims=0>(x) }>"""
CASES: Mapping[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "Det": (lambda: model_of("h = Tanh(x) d = Det(h) y = Neg(d)", [4, 3, 3]), "Det node_of_d replaced"),
    "AffineGrid": (
        lambda: model_of(
            "g = AffineGrid(x, s) y = Neg(g)", [2, 2, 3], {"s": np.array([2, 1, 3, 4])}, opset=20
        ),
        "AffineGrid node_of_g replaced",
    ),
    "CenterCropPad": (
        lambda: model_of(
            "c = CenterCropPad<axes=[0, 1]>(x, s) y = Neg(c)", [3, 3], {"s": np.array([2, 2])}, opset=18
        ),
        "CenterCropPad node_of_c replaced",
    ),
    "Compress": (
        lambda: model_of("y = Compress<axis=1>(x, c)", [3, 4], {"c": np.array([True, False, True])}),
        "Compress node_of_y replaced",
    ),
    "bits": (
        lambda: model_of(
            "z = BitwiseAnd(x, k) y = BitwiseXor(z, x)",
            [4, 5],
            {"k": np.int32(7)},
            opset=18,
            outputs="int32 y",
            dtype="int32",
        ),
        "BitwiseAnd node_of_z, BitwiseXor node_of_y replaced",
    ),
    "dynamic quantisation": (
        lambda: model_of(
            "q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z, wz) f = Cast<to=1>(i) y = Mul(f, s)",
            [4, 32],
            {"w": weights(32, 8), "wz": bytes_128()},
        ),
        "DynamicQuantizeLinear node_of_q, MatMulInteger node_of_i replaced",
    ),
    "a quantised product, of which the parser names the first node": (
        lambda: model_of(
            "q = QuantizeLinear(x, s, z) c = QLinearMatMul(q, s, z, w, s, z, s, z) y = DequantizeLinear(c, s, z)",
            [4, 32],
            {"s": np.float32(0.02), "z": bytes_128(), "w": weights(32, 8)},
        ),
        "QuantizeLinear node_of_q, QLinearMatMul node_of_c, DequantizeLinear node_of_y replaced",
    ),
    "in a branch": (lambda: model_of(IF, [3, 3], inputs="bool c"), "Det t replaced"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refused_operator_is_replaced_and_the_model_builds(name: str, tmp_path: Path) -> None:
    make, summary = CASES[name]
    _, [first, *_] = fixed(make(), tmp_path)
    assert first.summary.startswith(summary)


def test_a_body_whose_operators_are_refused_is_taken_apart_further(tmp_path: Path) -> None:
    model = model_of("y = SoftmaxCrossEntropyLoss(x, t)", [2, 4], inputs="int64[2] t")
    x = RNG.normal(size=(2, 4)).astype(np.float32)
    found, [fix] = fixed(model, tmp_path, x=x, t=np.array([1, 3]))
    assert "NegativeLogLikelihoodLoss" in found.fixes[0].reason
    assert fix.summary.endswith("down to the simplest operators")


def test_an_operator_within_a_function_of_the_model(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (float[2, 3, 3] x) => (float[2] y)
        { h = Tanh(x) y = my.measure(h) }
        <domain: "my", opset_import: ["" : 17]> measure (a) => (b) { d = Det(a) b = Neg(d) }"""
    _, [fix, *_] = fixed(onnx.parser.parse_model(text), tmp_path)
    assert fix.summary.startswith("Det ")


def test_sizes_that_only_the_shape_makes_dynamic(tmp_path: Path) -> None:
    body = (
        "s = Shape(x) o = ConstantOfShape(s) n = NonZero(o) f = Cast<to=1>(n) r = ReduceSum(f) y = Add(x, r)"
    )
    model = model_of(body, ["n", 3])
    found, [fix] = fixed(model, tmp_path, x=np.ones((2, 3), np.float32))
    assert fix.summary == "frozen to x [2, 3] (good for no other shapes) and folded"
    assert not [f for f in found.findings if f.id == "no-equivalent"]


@pytest.mark.parametrize(
    ("body", "node"),
    [
        ("n = NonZero(x) f = Cast<to=1>(n) y = Neg(f)", "node_of_n"),
        ("d = Det(x) n = NonZero(d) f = Cast<to=1>(n) y = Neg(f)", "node_of_n"),
        ("h = Tanh(x) d = Det(h) y = Neg(d)", "node_of_d"),
    ],
    ids=["NonZero of data", "beside something that can be helped", "a matrix too large"],
)
def test_where_nothing_equal_is_known_that_is_said(body: str, node: str, tmp_path: Path) -> None:
    side = 4 if "Tanh" in body else 3
    found, built = fixed(model_of(body, [2, side, side]), tmp_path)
    assert not built
    [finding] = [f for f in found.findings if f.id == "no-equivalent"]
    assert finding.node == node
    assert f"plugin-stub MODEL {node}" in finding.mitigation


def test_a_parser_that_dies_of_an_operator(tmp_path: Path) -> None:
    """TensorRT-RTX 1.7 crashes on ONNX's Attention; in a worker, that is a failure like any other."""
    onnx.save(
        model_of("h = Tanh(x) a = Attention(h, h, h) y = Neg(a)", [1, 2, 4, 8], opset=23), tmp_path / "m.onnx"
    )
    words = ("fix", "m.onnx", "--candidate", "tensorrt-rtx", "--builds", "1", "--quiet")
    done = trtdebug(*words, cwd=tmp_path)
    if "SIGSEGV" not in done.stdout:
        pytest.skip("this TensorRT-RTX does not crash on it")
    assert "fix (could not be tested): Attention node_of_a replaced by equal operators" in done.stdout
    assert BUILT in done.stdout
