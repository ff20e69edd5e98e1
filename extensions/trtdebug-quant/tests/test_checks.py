"""Findings: each fault is told, and a model that onnxruntime quantises well has none."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
import trtdebug_quant
from onnx import numpy_helper
from trtdebug_quant.command import quant

from trtdebug.core.case import BuildOptions, Case, Tolerance
from trtdebug.core.errors import UserError
from trtdebug.plugins.testing import check_context, run_check
from trtdebug.plugins.types import CheckContext

pytest_plugins = ["trtdebug.plugins.fixtures"]


@pytest.fixture
def found(trtdebug_plugin):
    """`found(model, sample)`: the findings as (id, node)."""
    check = trtdebug_plugin(trtdebug_quant).checks()["quant"]

    def run(model, sample=None):
        return [(f.id, f.node) for f in run_check(check, check_context(model, sample, "int8"))]

    return run


def test_a_healthy_model_and_a_float_one_have_none(found, quantised, network, sample):
    assert found(quantised, sample) == []
    assert found(network, sample) == []


def at(channel, value):
    def change(scales):
        scales[channel] = value
        return scales

    return change


# scales ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -0.01, np.nan, np.inf, 1e-40])
def test_a_channel_s_scale_that_is_no_usable_number(found, quantised, spoiled, value):
    model = spoiled(quantised, w2_scale=at(3, value))
    assert found(model) == [("quant-scale-value", "w2_DequantizeLinear")]


@pytest.mark.parametrize(("value", "told"), [(np.inf, True), (1e-40, True), (0, False), (-1, False)])
def test_of_a_single_scale_only_what_the_core_does_not_see(found, quantised, spoiled, value, told):
    model = spoiled(quantised, r2_scale=lambda scale: np.float32(value))
    assert found(model) == [("quant-scale-value", "r2_DequantizeLinear")] * told


@pytest.mark.parametrize(("factor", "told"), [(20, False), (50, True), (0.05, False), (0.02, True)])
def test_a_channel_far_from_the_others(found, quantised, spoiled, factor, told):
    model = spoiled(quantised, w2_scale=lambda s: s * np.float32([1, factor, *[1] * 6]))
    assert found(model) == [("quant-scale-outlier", "w2_DequantizeLinear")] * told


def test_says_whether_the_weights_explain_it(trtdebug_plugin, quantised, spoiled):
    def outlier(integers):
        model = spoiled(quantised, w2_scale=at(1, 1.0), w2_quantized=lambda q: at(1, integers)(q))
        check = trtdebug_plugin(trtdebug_quant).checks()["quant"]
        (finding,) = run_check(check, check_context(model))
        return finding.severity, "fill their range" in finding.message

    assert outlier(np.int8(127)) == ("info", True)
    assert outlier(np.int8(3)) == ("warning", False)


# ranges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "finding"), [(0.1, "quant-clips"), (0.9, None), (3, None), (8, "quant-wastes")]
)
@pytest.mark.parametrize("tensor", ["x", "r1", "f"])
def test_ranges_against_the_reference_s_values(found, quantised, sample, spoiled, tensor, factor, finding):
    model = spoiled(quantised, **{f"{tensor}_scale": factor})
    told = [f for f in found(model, sample) if f[1] == f"{tensor}_DequantizeLinear"]
    assert told == ([(finding, f"{tensor}_DequantizeLinear")] if finding else [])
    assert found(model) == []  # no values, nothing to say


@pytest.mark.parametrize(("largest", "told"), [(1.02, False), (3.0, True)])
def test_clipping_that_costs_no_more_than_rounding_is_none(found, largest, told):
    """A sample a little beyond those of the calibration: a tenth of the values loses two steps, not two bits."""
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]> g (float[1, 100] x) => (float[1, 100] y)
        <float scale = {0.00787401}, int8 zero = {0}> {
            q = QuantizeLinear(x, scale, zero)
            y = DequantizeLinear(q, scale, zero)
        }
    """)
    values = np.linspace(-0.9, 0.9, 100, dtype=np.float32)
    values[:10] = largest
    assert [f[0] for f in found(model, {"x": values[None]})] == ["quant-clips"] * told


def test_behind_an_infinite_scale_no_range_is_judged(found, quantised, spoiled, sample):
    """The values there are the model's own, and as wrong as the scale."""
    model = spoiled(quantised, r1_scale=lambda scale: np.float32(np.inf), r2_scale=0.1)
    assert found(model, sample) == [("quant-scale-value", "r1_DequantizeLinear")]


def test_stored_weights_that_do_not_fill_their_range(found, quantised, spoiled):
    assert found(spoiled(quantised, w3_quantized=lambda q: q // 8)) == [
        ("quant-wastes", "w3_DequantizeLinear")
    ]


@pytest.mark.parametrize(("factor", "told"), [(1, False), (8, True)])
def test_stored_weights_around_another_zero_point(found, quantised, spoiled, factor, told):
    """Unsigned ones of little range lie all about 128."""
    around = {
        "w3_quantized": lambda q: (q // factor + np.int16(128)).astype(np.uint8),
        "w3_zero_point": lambda z: np.full(z.shape, 128, np.uint8),
    }
    assert found(spoiled(quantised, **around)) == [("quant-wastes", "w3_DequantizeLinear")] * told


def beside(network, model, folder, sample) -> CheckContext:
    """As in `trtdebug run float.onnx --candidate-model int8.onnx`."""
    onnx.save(model, folder / "int8.onnx")
    plain = check_context(network, sample, "int8")
    case = Case(
        model="float.onnx",
        sha256="",
        nodes=0,
        options=BuildOptions(precision="int8"),
        tolerance=Tolerance(),
        reference="onnxruntime",
        candidate="onnxruntime",
        samples=("s0",),
        inputs_sha256="",
        candidate_model=str(folder / "int8.onnx"),
    )
    return CheckContext(plain.path, plain.model, plain.index, "int8", sample, plain.reference, case)


def test_with_a_float_model_as_the_reference_its_values_and_weights_count(
    trtdebug_plugin, network, quantised, sample, spoiled, tmp_path
):
    check = trtdebug_plugin(trtdebug_quant).checks()["quant"]
    healthy = run_check(check, beside(network, quantised, tmp_path, sample))
    assert healthy == ()
    # behind what is clipped, a Q/DQ model's own values are small: the float model's are not
    bad = spoiled(quantised, x_scale=0.05, w3_scale=0.2, w4_scale=3)
    findings = run_check(check, beside(network, bad, tmp_path, sample))
    assert [(f.id, f.node) for f in findings] == [
        ("quant-clips", "w3_DequantizeLinear"),
        ("quant-weights-differ", "w4_DequantizeLinear"),
        ("quant-clips", "x_DequantizeLinear"),
    ]


def test_a_bias_in_int32_wastes_nothing(trtdebug_plugin, network, by_default, sample, tmp_path):
    """It has the scale of what it is added to, and 32 bits to spare."""
    check = trtdebug_plugin(trtdebug_quant).checks()["quant"]
    findings = run_check(check, beside(network, by_default, tmp_path, sample))
    assert {f.id for f in findings} == {"quant-int32-bias"}


def test_an_engine_as_candidate_holds_no_graph(trtdebug_plugin, network, quantised, sample, tmp_path):
    context = beside(network, quantised, tmp_path, sample)
    (tmp_path / "int8.onnx").write_bytes(b"ftrt junk")
    assert run_check(trtdebug_plugin(trtdebug_quant).checks()["quant"], context) == ()


# placement -------------------------------------------------------------------------------------------------

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
CONSTANTS = (
    "<float s = {0.05}, float t = {0.5}, int8 z = {0}, int8 one = {1}, float[4] four = {0.1, 0.1, 0.1, 0.1}, "
    "float[4] b, int32[4] bi = {1, 2, 3, 4}, int8[4, 4] w = {"
    + ", ".join(str(64 if i % 5 == 0 else 127) for i in range(16))
    + "}, int8[4, 4, 1, 1] k = {"
    + ", ".join(["127"] * 16)
    + "}>"
).replace("float[4] b,", "")
X = "xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z) "
WEIGHT = "wd = DequantizeLinear <axis = AXIS> (w, four) "


def placed(body, ends="(float[4, 4] x) => (float[4, 4] y)"):
    model = onnx.parser.parse_model(f"{HEAD} g {ends} {CONSTANTS} {{ {body} }}")
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    return model


@pytest.mark.parametrize(
    ("body", "findings"),
    [
        (X + WEIGHT.replace("AXIS", "1") + "y = Gemm(xd, wd)", []),
        (X + WEIGHT.replace("AXIS", "0") + "y = Gemm(xd, wd)", [("quant-axis", "n_wd")]),
        (X + WEIGHT.replace("AXIS", "0") + "y = Gemm <transB = 1> (xd, wd)", []),
        (X + WEIGHT.replace("AXIS", "1") + "y = Gemm <transB = 1> (xd, wd)", [("quant-axis", "n_wd")]),
        (X + WEIGHT.replace("AXIS", "0") + "v = Transpose <perm = [1, 0]> (wd) y = MatMul(xd, v)", []),
        (
            X + WEIGHT.replace("AXIS", "1") + "v = Transpose <perm = [1, 0]> (wd) y = MatMul(xd, v)",
            [("quant-axis", "n_wd")],
        ),
        # a weight that comes first
        (X + WEIGHT.replace("AXIS", "0") + "y = Gemm(wd, xd)", []),
        (X + WEIGHT.replace("AXIS", "1") + "y = Gemm(wd, xd)", [("quant-axis", "n_wd")]),
        (X + WEIGHT.replace("AXIS", "1") + "y = Gemm <transA = 1> (wd, xd)", []),
        (X + WEIGHT.replace("AXIS", "1") + "v = Transpose <perm = [1, 0]> (wd) y = MatMul(v, xd)", []),
        (
            X + WEIGHT.replace("AXIS", "0") + "v = Transpose <perm = [1, 0]> (wd) y = MatMul(v, xd)",
            [("quant-axis", "n_wd")],
        ),
        # the core's `quantise-axis` says so
        (X + WEIGHT.replace("AXIS", "1") + "y = MatMul(wd, xd)", []),
        (X + WEIGHT.replace("AXIS", "0") + "y = MatMul(xd, wd)", []),
        (
            "xq = QuantizeLinear <axis = 1> (x, four) xd = DequantizeLinear <axis = 1> (xq, four) y = Add(xd, x)",
            [("quant-axis", "n_xd")],
        ),
        (
            "xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, t, z) y = Neg(xd)",
            [("quant-pair-mismatch", "n_xd")],
        ),
        (
            "xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, one) y = Neg(xd)",
            [("quant-pair-mismatch", "n_xd")],
        ),
        (X + "bd = DequantizeLinear(bi, s) y = Add(xd, bd)", [("quant-int32-bias", "n_bd")]),
    ],
)
def test_ends_and_axes(found, body, findings):
    assert found(placed(body)) == findings


@pytest.mark.parametrize("scales", [3, 5])
def test_scales_that_are_not_as_many_as_channels(found, scales, tmp_path):
    model = placed(X + WEIGHT.replace("AXIS", "1").replace("four", "some") + "y = MatMul(xd, wd)")
    values = np.full(scales, 0.1, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(values, "some"))
    assert found(model) == [("quant-axis", "n_wd")]
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(UserError, match="onnxruntime does not"):
        quant(tmp_path / "m.onnx")


def test_a_residual_that_is_not_quantised(found, network, quantised):
    model = onnx.ModelProto()
    model.CopyFrom(quantised)
    (add,) = (node for node in model.graph.node if node.name == "n_s")
    add.input[1] = "r1"
    assert found(model) == [("quant-residual", "n_s")]


def test_int32_biases_of_onnxruntime_s_default(found, by_default):
    """TensorRT-RTX 1.7's parser: "input has type Int32 but must have type FP8, FP4, Int4, Int8, or UInt8"."""
    ids = found(by_default)
    assert [node for id_, node in ids if id_ == "quant-int32-bias"] == [
        "b1_DequantizeLinear",
        "b2_DequantizeLinear",
        "b3_DequantizeLinear",
    ]
    assert {id_ for id_, _ in ids} == {"quant-int32-bias"}


def test_weights_of_a_transposed_constant_keep_their_values():
    """The helper model is what it says."""
    weight = numpy_helper.to_array(placed(X + "y = Neg(xd)").graph.initializer[-2])
    assert (weight.shape, weight.dtype) == ((4, 4), np.int8)
