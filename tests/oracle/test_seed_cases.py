"""Cases from the course material that trtdebug grew out of, emulated: verdicts that other tools get wrong."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from emulated import emulated, node_names, reference, saved, written_by
from seed_models import mnist, model_of, node, value, weight

from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits, limits
from trtdebug.oracle.verdict import judge

FP16 = BuildOptions(precision="fp16")
AS_FP32 = [Tolerance(rms_rel=1e-6), Tolerance(atol=1e-6, rtol=1e-6)]


def verdict(expected, found, rule: Limits):
    return judge([compare(name, tensor, found.get(name), rule) for name, tensor in expected.items()])


@pytest.fixture(scope="module")
def mnist_run(tmp_path_factory):
    """Seed T1, T2: the MNIST CNN, output z:0 (ArgMax), every tensor of it in FP32 and in emulated FP16."""
    folder = tmp_path_factory.mktemp("mnist")
    path = saved(mnist(colon_names=True), folder)
    feeds = {"x:0": np.random.default_rng(0).random((4, 1, 28, 28), np.float32)}
    tensors = written_by(path)
    return reference(path, folder, feeds, tensors), emulated(path, folder, feeds, outputs=tensors)


def test_an_int32_index_instead_of_int64_is_no_failure(mnist_run):
    expected, _ = mnist_run
    index = expected["z:0"]
    assert index.dtype == np.int64
    rule = limits(Tolerance(), BuildOptions(precision="fp32", tf32=False))
    assert verdict({"z:0": index}, {"z:0": index.astype(np.int32)}, rule)[0] == "pass"
    assert verdict({"z:0": index}, {"z:0": index.astype(np.int32) + 1}, rule)[0] == "fail"


def test_healthy_fp16_passes_the_fp16_default_tensor_by_tensor(mnist_run):
    expected, found = mnist_run
    assert len(expected) == 15
    assert verdict(expected, found, limits(Tolerance(), FP16)) == ("pass", None, "")


@pytest.mark.parametrize("tolerance", AS_FP32)
def test_healthy_fp16_fails_what_is_asked_of_fp32(mnist_run, tolerance):
    expected, found = mnist_run
    status, signature, _ = verdict(expected, found, limits(tolerance, FP16))
    assert (status, signature.kind) == ("fail", "mismatch")
    assert "z:0" not in signature.outputs  # the class is the same


def layer_norm() -> onnx.ModelProto:
    """Seed T18: LayerNorm over the last axis of [1, 4, 8], decomposed."""
    return model_of(
        [
            node("ReduceMean", ["x"], ["mean"], "mean", axes=[-1]),
            node("Sub", ["x", "mean"], ["sub"], "sub"),
            node("Pow", ["sub", "two"], ["pow"], "pow"),
            node("ReduceMean", ["pow"], ["var"], "var", axes=[-1]),
            node("Add", ["var", "eps"], ["addeps"], "addeps"),
            node("Sqrt", ["addeps"], ["sqrt"], "sqrt"),
            node("Div", ["sub", "sqrt"], ["div"], "div"),
            node("Mul", ["div", "gamma"], ["mul"], "mul"),
            node("Add", ["mul", "beta"], ["y"], "add"),
        ],
        [value("x", [1, 4, 8])],
        [value("y", [1, 4, 8])],
        [
            weight("two", np.float32(2)),
            weight("eps", np.float32(1e-5)),
            weight("gamma", np.linspace(0.5, 1.5, 8, dtype=np.float32)),
            weight("beta", np.linspace(-0.1, 0.1, 8, dtype=np.float32)),
        ],
    )


@pytest.fixture
def norm(tmp_path):
    """`norm(size, pins)`: (tensors in FP32, tensors in emulated FP16), |x| about `size`."""
    path = saved(layer_norm(), tmp_path)

    def run(size: float, pins=()):
        feeds = {"x": np.random.default_rng(1).normal(0, size, (1, 4, 8)).astype(np.float32)}
        tensors = written_by(path)
        return reference(path, tmp_path, feeds, tensors), emulated(
            path, tmp_path, feeds, "fp16", pins, tensors
        )

    return run


RULE = limits(Tolerance(), FP16)


def failing(expected, found) -> list[str]:
    return [n for n, tensor in expected.items() if compare(n, tensor, found[n], RULE).status == "fail"]


def test_overflow_in_a_layer_norm_leaves_no_nan_at_the_output(norm):
    """x / inf = 0: who looks for NaN and Inf in the outputs only lets it pass."""
    expected, found = norm(1000)
    assert np.isfinite(found["y"]).all()
    status, signature, _ = verdict({"y": expected["y"]}, {"y": found["y"]}, RULE)
    assert (status, signature.kind) == ("fail", "mismatch")
    assert compare("y", expected["y"], found["y"], RULE).rms_rel > 0.9


def test_the_first_bad_tensor_of_the_layer_norm_is_the_square(norm):
    expected, found = norm(1000)
    assert failing(expected, found)[0] == "pow"
    assert np.isinf(found["pow"]).any()
    assert np.isfinite(expected["pow"]).all()


def test_pinning_what_holds_the_square_cures_the_layer_norm(norm):
    """A node stores its output in its own precision, so all that holds |x|^2 must be pinned."""
    expected, found = norm(1000, ["pow", "var", "addeps", "sqrt"])
    assert failing(expected, found) == []
    assert compare("y", expected["y"], found["y"], RULE).rms_rel < 1e-3


@pytest.mark.parametrize("pins", [["pow"], ["pow", "var", "addeps"], ["sqrt", "div", "mul", "add"]])
def test_pinning_less_does_not(norm, pins):
    expected, found = norm(1000, pins)
    assert "y" in failing(expected, found)


def test_the_layer_norm_of_small_numbers_is_healthy(norm):
    expected, found = norm(1)
    assert failing(expected, found) == []


def test_pinned_as_a_whole_it_is_the_reference(norm, tmp_path):
    expected, found = norm(1000, node_names(tmp_path / "model.onnx"))
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)
