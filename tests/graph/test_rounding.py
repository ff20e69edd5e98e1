"""Which values round_nodes rounds: of float32 and float64, on the top level and in bodies."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from seed_models import model_of, node, value, weight

from trtdebug.core.errors import BuildFailure
from trtdebug.graph.load import load_model
from trtdebug.graph.rounding import round_nodes, rounded

SILERO = Path(__file__).resolve().parents[2] / ".." / "shared" / "models" / "silero_vad_16k_op15.onnx"
THOUSAND = weight("thousand", np.float32(1000))


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    ).run(None, feeds)


def low(model: onnx.ModelProto, dtype="fp16") -> onnx.ModelProto:
    """Every node low, and the result is a valid model."""
    result = rounded(model, [n.name for n in model.graph.node], dtype)
    assert not result.left_out
    onnx.checker.check_model(result.model, full_check=True)
    return result.model


def norm_if(constant: bool = False) -> onnx.ModelProto:
    """y = sqrt((1000 x)^2) if take else x; the branch reads `x` and `thousand` from around it."""
    scale = [THOUSAND] if not constant else []
    given = [node("Constant", [], ["thousand"], "", value=THOUSAND)] if constant else []
    then = helper.make_graph(
        [
            *given,
            node("Mul", ["x", "thousand"], ["big"]),
            node("Mul", ["big", "big"], ["square"]),
            node("Sqrt", ["square"], ["then_y"]),
        ],
        "then",
        [],
        [value("then_y", None)],
    )
    otherwise = helper.make_graph([node("Identity", ["x"], ["else_y"])], "else", [], [value("else_y", None)])
    return model_of(
        [node("If", ["take"], ["y"], "branch", then_branch=then, else_branch=otherwise)],
        [helper.make_tensor_value_info("take", TensorProto.BOOL, []), value("x", [2])],
        [value("y", [2])],
        scale,
    )


@pytest.mark.parametrize("constant", [False, True])
def test_a_square_in_the_branch_of_an_if_overflows(constant):
    model, x = norm_if(constant), np.array([1, 0.1], np.float32)
    np.testing.assert_allclose(run(model, {"take": np.array(True), "x": x})[0], [1000, 100])
    found = run(low(model), {"take": np.array(True), "x": x})[0]
    assert np.isinf(found[0])
    assert found[1] == pytest.approx(100, rel=1e-3)
    assert np.isfinite(run(low(model, "bf16"), {"take": np.array(True), "x": x})[0]).all()
    assert np.isfinite(run(low(model), {"take": np.array(False), "x": x})[0]).all()


def test_the_body_of_a_node_that_is_not_low_stays():
    model = norm_if()
    assert round_nodes(model, [], "fp16") == model


def test_a_weight_of_a_body_is_rounded():
    third = weight("third", np.array([1 / 3], np.float32))
    body = helper.make_graph(
        [node("Add", ["zero", "third"], ["b_y"])], "b", [], [value("b_y", [1])], initializer=[third]
    )
    nothing = helper.make_graph([node("Identity", ["zero"], ["c_y"])], "c", [], [value("c_y", [1])])
    model = model_of(
        [node("If", ["take"], ["y"], "branch", then_branch=body, else_branch=nothing)],
        [helper.make_tensor_value_info("take", TensorProto.BOOL, []), value("zero", [1])],
        [value("y", [1])],
    )
    feeds = {"take": np.array(True), "zero": np.zeros(1, np.float32)}
    assert run(low(model), feeds)[0][0] == np.float32(np.float16(1 / 3)) != np.float32(1 / 3)


def test_a_loop_that_squares_overflows_on_the_way():
    """x^2 three times, then the logarithm: 3^8 fits, 9^8 does not."""
    body = helper.make_graph(
        [node("Identity", ["keep"], ["keep_out"]), node("Mul", ["a", "a"], ["a_out"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("keep", TensorProto.BOOL, []),
            onnx.ValueInfoProto(name="a"),
        ],
        [helper.make_tensor_value_info("keep_out", TensorProto.BOOL, []), value("a_out", None)],
    )
    model = model_of(
        [
            node("Loop", ["times", "yes", "x"], ["last"], "loop", body=body),
            node("Log", ["last"], ["y"], "log"),
        ],
        [value("x", [2])],
        [value("y", [2])],
        [weight("times", np.array(3, np.int64)), weight("yes", np.array(True))],
    )
    x = np.array([3, 9], np.float32)
    np.testing.assert_allclose(run(model, {"x": x})[0], 8 * np.log(x), rtol=1e-6)
    result = rounded(model, ["loop"], "fp16")
    assert not result.left_out
    found = run(result.model, {"x": x})[0]
    assert np.isfinite(found[0])
    assert np.isinf(found[1])


def test_a_scan_that_squares_and_takes_the_root_overflows():
    body = helper.make_graph(
        [
            node("Mul", ["e", "e"], ["square"], "square"),
            node("Sqrt", ["square"], ["root"], "root"),
            node("Add", ["s", "root"], ["s_out"], "sum"),
            node("Identity", ["root"], ["e_out"], "out"),
        ],
        "body",
        [value("s", [1]), value("e", [1])],
        [value("s_out", [1]), value("e_out", [1])],
    )
    model = model_of(
        [node("Scan", ["s0", "x"], ["total", "y"], "scan", body=body, num_scan_inputs=1)],
        [value("s0", [1]), value("x", [3, 1])],
        [value("total", [1]), value("y", [3, 1])],
    )
    feeds = {"s0": np.zeros(1, np.float32), "x": np.array([[1], [300], [2]], np.float32)}
    assert run(model, feeds)[0][0] == 303
    total, y = run(low(model), feeds)
    assert np.isinf(total[0])
    np.testing.assert_array_equal(y.ravel(), [1, np.inf, 2])


def test_what_inference_does_not_know_in_a_body_is_left_in_full_and_told():
    model = norm_if()
    branch = model.graph.node[0].attribute[1].g
    branch.node[1].CopyFrom(helper.make_node("Strange", ["big"], ["square"], "odd", domain="some.where"))
    dtypes = {"take": "bool", "x": "float32", "thousand": "float32", "y": "float32"}
    result = rounded(model, ["branch"], "fp16", dtypes)
    assert result.left_out == {"branch": ("odd", "Sqrt of 'then_y'")}
    ops = [n.op_type for n in result.model.graph.node[-3].attribute[1].g.node]
    assert ops.count("Cast") == 6  # two inputs and the output of the first Mul


@pytest.mark.parametrize(("dtype", "narrow"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_float64_is_rounded_as_float32_is(dtype, narrow):
    third = np.array([1 / 3])
    model = model_of(
        [node("Add", ["x", "third"], ["y"], "add")],
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1])],
        [onnx.numpy_helper.from_array(third, "third")],
    )
    found = run(low(model, dtype), {"x": third})[0]
    assert found.dtype == np.float64
    assert found == (2 * third.astype(narrow).astype(np.float64)).astype(narrow).astype(np.float64)
    assert found != 2 * third


def test_an_unknown_node_and_an_unknown_type_are_told():
    model = model_of(
        [node("Strange", ["x"], ["y"], "odd")], [value("x", [1])], [onnx.ValueInfoProto(name="y")]
    )
    with pytest.raises(KeyError, match="nowhere"):
        round_nodes(model, ["nowhere"], "fp16")
    with pytest.raises(BuildFailure, match="type of tensor 'y' is unknown"):
        round_nodes(model, ["odd"], "fp16")


@pytest.mark.skipif(not SILERO.is_file(), reason="the models are not there")
def test_a_real_model_of_nested_ifs_stays_healthy():
    model = load_model(SILERO)
    names = [n.name for n in model.graph.node if n.op_type != "Constant"]
    result = rounded(model, names, "fp16")
    assert not result.left_out
    feeds = {
        "input": np.random.default_rng(0).normal(0, 0.1, (1, 576)).astype(np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
    }
    feeds |= {i.name: np.array(16000, np.int64) for i in model.graph.input if i.name == "sr"}
    for expected, found in zip(run(model, feeds), run(result.model, feeds), strict=True):
        assert 0 < np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-2


@pytest.mark.parametrize(("op", "kept"), [("QuantizeLinear", True), ("Mul", False)])
def test_scales_of_quantisation_stay_as_they_are(op, kept):
    model = model_of(
        [node(op, ["x", "third"], ["y"], "n")],
        [value("x", [1])],
        [onnx.ValueInfoProto(name="y")],
        [weight("third", np.float32(1 / 3))],
    )
    [rounding] = [n for n in round_nodes(model, ["n"], "fp16").graph.node if n.name == "n"]
    assert ("third" in rounding.input) is kept


def test_the_length_of_a_range_does_not_hang_on_rounding():
    """2049 is 2048 in FP16."""
    model = model_of(
        [node("Range", ["zero", "limit", "one"], ["y"], "range")],
        [value("limit", [])],
        [value("y", ["n"])],
        [weight("zero", np.float32(0)), weight("one", np.float32(1))],
    )
    assert run(low(model), {"limit": np.array(2049, np.float32)})[0].shape == (2049,)


def test_an_initialiser_that_can_be_fed_is_rounded_when_it_runs():
    model = model_of(
        [node("Add", ["x", "w"], ["y"], "add")],
        [value("x", [1]), value("w", [1])],
        [value("y", [1])],
        [weight("w", np.array([1], np.float32))],
    )
    feeds = {"x": np.zeros(1, np.float32), "w": np.array([1 / 3], np.float32)}
    assert run(low(model), feeds)[0][0] == np.float32(np.float16(1 / 3))
