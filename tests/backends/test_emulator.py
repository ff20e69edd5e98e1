"""The emulator: what it rounds, what it leaves alone, and how near it comes to real engines."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from emulated import emulated, node_names, reference, request, saved, written_by
from onnx import TensorProto
from seed_models import identity_add_identity, mnist, model_of, node, value, weight, with_if

from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, ForcePrecision, Knob, PinPrecision
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits

NUMPY = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
THIRD = np.array([1 / 3, 70000, -1e-9, 1e30], np.float32)


def rounded(x: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        return x.astype(NUMPY[dtype]).astype(np.float32)


def rms(expected, found) -> dict[str, float]:
    return {n: compare(n, t, found[n], Limits(1)).rms_rel for n, t in expected.items()}


@pytest.fixture
def add(tmp_path):
    """y = x + 1/3, then z = -y."""
    model = model_of(
        [node("Add", ["x", "third"], ["y"], "add"), node("Neg", ["y"], ["z"], "neg")],
        [value("x", [4])],
        [value("z", [4])],
        [weight("third", np.float32(1 / 3))],
    )
    return saved(model, tmp_path)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_a_low_node_rounds_what_it_reads_and_what_it_stores(add, tmp_path, dtype):
    found = emulated(add, tmp_path, {"x": THIRD}, dtype, outputs=("y", "z"))
    y = rounded(rounded(THIRD, dtype) + rounded(np.float32(1 / 3), dtype), dtype)
    np.testing.assert_array_equal(found["y"], y)
    np.testing.assert_array_equal(found["z"], -y)
    assert np.isinf(y[1]) == (dtype == "fp16")


def test_a_pinned_node_computes_and_stores_in_full(add, tmp_path):
    found = emulated(add, tmp_path, {"x": THIRD}, pins=["add"], outputs=("y", "z"))
    np.testing.assert_array_equal(found["y"], THIRD + np.float32(1 / 3))
    np.testing.assert_array_equal(found["z"], -rounded(found["y"], "fp16"))


def test_without_low_precision_it_is_the_reference(add, tmp_path):
    expected = reference(add, tmp_path, {"x": THIRD})
    np.testing.assert_array_equal(emulated(add, tmp_path, {"x": THIRD}, "fp32")["z"], expected["z"])


def test_force_is_stronger_than_the_users_options(add, tmp_path):
    forced = EmulatorBackend().build(request(add, tmp_path, "fp32", [ForcePrecision("bf16")]))
    natural = emulated(add, tmp_path, {"x": THIRD}, "bf16")
    np.testing.assert_array_equal(forced.run({"x": THIRD})["z"], natural["z"])


def test_a_second_run_does_not_change_the_arrays_of_the_first(add, tmp_path):
    engine = EmulatorBackend().build(request(add, tmp_path, "fp16"))
    first = engine.run({"x": THIRD})
    kept = first["z"].copy()
    engine.run({"x": 2 * THIRD})
    np.testing.assert_array_equal(first["z"], kept)
    assert engine.info().backend == "emulator"


def test_two_builds_give_the_same_numbers(add, tmp_path):
    assert EmulatorBackend.deterministic
    runs = [emulated(add, tmp_path, {"x": THIRD})["z"] for _ in range(2)]
    np.testing.assert_array_equal(*runs)


# constants --------------------------------------------------------------------------------------------------


@pytest.fixture
def constant(tmp_path):
    """y = x * c and z = x + c, c = 1e30 given by a Constant node."""
    big = onnx.numpy_helper.from_array(np.array([1e30], np.float32))
    model = model_of(
        [
            node("Constant", [], ["c"], "constant", value=big),
            node("Mul", ["x", "c"], ["y"], "mul"),
            node("Add", ["x", "c"], ["z"], "add"),
        ],
        [value("x", [4])],
        [value("y", [4]), value("z", [4]), value("c", [1])],
    )
    return saved(model, tmp_path)


def test_a_constant_is_rounded_by_its_reader_not_by_itself(constant, tmp_path):
    x = np.ones(4, np.float32)
    found = emulated(constant, tmp_path, {"x": x}, pins=["mul"])
    np.testing.assert_array_equal(found["y"], x * np.float32(1e30))
    assert np.isinf(found["z"]).all()
    assert found["c"] == np.float32(1e30)


# pins and refusals ------------------------------------------------------------------------------------------


def test_a_pin_on_an_unknown_node_is_refused(add, tmp_path):
    for precision in ("fp16", "fp32"):
        with pytest.raises(BuildFailure, match=r"'nowhere', which is no node of model\.onnx"):
            emulated(add, tmp_path, {"x": THIRD}, precision, pins=["add", "nowhere"])


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "int8"])
def test_pins_are_to_fp32_only(add, tmp_path, dtype):
    with pytest.raises(BuildFailure, match=f"fp32 only, not to {dtype}"):
        EmulatorBackend().build(request(add, tmp_path, "fp16", [PinPrecision(("add",), dtype)]))


def test_int8_is_refused_with_a_way_out(add, tmp_path):
    with pytest.raises(BuildFailure, match=r"no INT8 calibration.*--candidate tensorrt"):
        emulated(add, tmp_path, {"x": THIRD}, "int8")


@pytest.mark.parametrize("intervention", [Knob("tf32", "off"), BanTactic("layer", "0")])
def test_what_it_can_not_realise_is_refused(add, tmp_path, intervention):
    """To build without it would answer another question."""
    with pytest.raises(BuildFailure, match=f"cannot realise {type(intervention).__name__}"):
        EmulatorBackend().build(request(add, tmp_path, "fp16", [intervention]))


# models -----------------------------------------------------------------------------------------------------


def random_feeds(path, seed: int = 0) -> dict[str, np.ndarray]:
    """Seeded inputs that the real models take."""
    r = np.random.default_rng(seed)
    return {
        "magika_standard_v3_3.onnx": lambda: {"bytes": r.integers(0, 257, (4, 2048)).astype(np.int32)},
        "magika_fast_v2_1.onnx": lambda: {"bytes": r.integers(0, 257, (4, 1024)).astype(np.int32)},
        "residual_block.onnx": lambda: {"gpu_0/data_0": r.random((1, 3, 224, 224), np.float32)},
        "minilm_l6_v4096.onnx": lambda: {
            "input_ids": r.integers(100, 4096, (2, 64)),
            "attention_mask": np.ones((2, 64), np.int64),
        },
        "needs_constraints.onnx": lambda: {"x": 1 + r.random((1, 1, 256, 256), np.float32)},
        "silero_vad_16k_static.onnx": lambda: {
            "input": r.normal(0, 0.1, (1, 576)).astype(np.float32),
            "state": np.zeros((2, 1, 128), np.float32),
        },
        "loop.onnx": lambda: {"input_0": np.array([3], np.int32)},
        "scan.onnx": lambda: {"initial": r.random(2, np.float32), "x": r.random((3, 2), np.float32)},
        "bad_graph_conditionally_invalid.onnx": lambda: {"cond": np.array([True])},
        "instancenorm.onnx": lambda: {"x": r.random((2, 3, 4, 5), np.float32)},
        "multi_attention.onnx": lambda: {
            n: r.random((1, 4, 4), np.float32) for n in ("q", "q1", "k", "k2", "v", "v2")
        },
    }[path.name]()


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("magika_standard_v3_3.onnx", 1.03),
        ("polygraphy/residual_block.onnx", 1.6e-3),
        ("minilm_l6_v4096.onnx", 3.0e-3),
        ("polygraphy/needs_constraints.onnx", 1.0),
    ],
)
def test_relative_rms_is_what_was_measured_beside_a_real_engine(model_path, tmp_path, name, measured):
    """Emulated FP16 as it was when real FP16 engines on an H200 gave the same errors."""
    path = model_path(name)
    feeds = random_feeds(path)
    errors = rms(reference(path, tmp_path, feeds), emulated(path, tmp_path, feeds))
    assert max(errors.values()) == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize(
    ("name", "decade"), [("silero_vad_16k_static.onnx", 5e-4), ("magika_fast_v2_1.onnx", 2.5e-5)]
)
def test_healthy_models_stay_healthy(model_path, tmp_path, name, decade):
    path = model_path(name)
    feeds = random_feeds(path)
    for error in rms(reference(path, tmp_path, feeds), emulated(path, tmp_path, feeds)).values():
        assert decade / 10 < error < decade * 10


def test_magika_overflows_in_a_layer_norm_and_bf16_cures_it(model_path, tmp_path):
    path = model_path("magika_standard_v3_3.onnx")
    feeds = random_feeds(path)
    expected = reference(path, tmp_path, feeds)
    found = emulated(path, tmp_path, feeds, outputs=written_by(path))
    assert any(np.isinf(t).any() for n, t in found.items() if "LayerNorm_1" in n)
    assert all(np.isfinite(found[n]).all() for n in expected)
    assert max(rms(expected, emulated(path, tmp_path, feeds, "bf16")).values()) < 8e-2


OLD_OPSETS = ["residual_block", "needs_constraints", "multi_attention", "instancenorm", "loop", "scan"]


@pytest.mark.parametrize("name", OLD_OPSETS)
def test_bf16_of_models_older_than_casts_to_bf16(model_path, tmp_path, name):
    path = model_path(f"polygraphy/{name}.onnx")
    feeds = random_feeds(path)
    expected, found = reference(path, tmp_path, feeds), emulated(path, tmp_path, feeds, "bf16")
    assert list(found) == list(expected)
    if name != "needs_constraints":  # x + 65504 - 65504
        assert max(rms(expected, found).values()) < 8e-2


def test_bf16_of_an_old_model_that_can_not_be_converted_is_refused(tmp_path):
    model = model_of(
        [node("Neg", ["x"], ["a"], "neg"), node("Strange", ["a"], ["y"], "strange")],
        [value("x", [2])],
        [value("y", [2])],
        opset=11,
    )
    with pytest.raises(BuildFailure, match="bf16 is emulated from opset 13 on") as caught:
        emulated(saved(model, tmp_path), tmp_path, {}, "bf16")
    assert "\n" not in str(caught.value)


def test_bf16_of_an_old_model_of_which_the_converter_loses_a_node_is_refused(tmp_path):
    """It gives the Resize that takes the place of an Upsample no name, and its output another one."""
    model = model_of(
        [node("Upsample", ["x", "twice"], ["u"], "up"), node("Neg", ["u"], ["y"], "neg")],
        [value("x", [1, 1, 2, 2])],
        [value("y", [1, 1, 4, 4])],
        [weight("twice", np.array([1, 1, 2, 2], np.float32))],
        opset=9,
    )
    with pytest.raises(BuildFailure, match=r"replaces 'up' \(Upsample\)") as caught:
        emulated(saved(model, tmp_path), tmp_path, {}, "bf16")
    assert (caught.value.hint, caught.value.node) == ("Export the model with opset 13 or later.", "up")
    feeds = {"x": np.ones((1, 1, 2, 2), np.float32)}
    assert (emulated(saved(model, tmp_path), tmp_path, feeds, "fp16")["y"] == -1).all()


ALL = [
    "magika_standard_v3_3.onnx",
    "silero_vad_16k_static.onnx",
    "minilm_l6_v4096.onnx",
    *(f"polygraphy/{name}.onnx" for name in OLD_OPSETS),
    "polygraphy/bad_graph_conditionally_invalid.onnx",
]


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
@pytest.mark.parametrize("name", ALL)
def test_with_every_node_pinned_it_is_the_reference_to_the_bit(model_path, tmp_path, name, dtype):
    path = model_path(name)
    feeds = random_feeds(path)
    found = emulated(path, tmp_path, feeds, dtype, pins=node_names(path))
    for tensor, expected in reference(path, tmp_path, feeds).items():
        np.testing.assert_array_equal(found[tensor], expected)


@pytest.mark.parametrize("name", ["bad_graph_conditionally_invalid", "loop", "scan"])
def test_bodies_of_if_loop_and_scan_run(model_path, tmp_path, name):
    path = model_path(f"polygraphy/{name}.onnx")
    feeds = random_feeds(path)
    assert max(rms(reference(path, tmp_path, feeds), emulated(path, tmp_path, feeds)).values()) < 1e-2


@pytest.mark.parametrize("sign", [1, -1])
def test_a_branch_reads_what_lies_around_it(tmp_path, sign):
    path = saved(with_if(), tmp_path)
    feeds = {"x": sign * np.array([1.0, 2.0], np.float32)}
    assert max(rms(reference(path, tmp_path, feeds), emulated(path, tmp_path, feeds)).values()) < 1e-3


def test_integer_models_are_left_alone(model_path, tmp_path):
    path = model_path("polygraphy/nonzero.onnx")
    feeds = {"input": np.array([0, 2**40, 0, 5])}
    for name, expected in reference(path, tmp_path, feeds).items():
        np.testing.assert_array_equal(emulated(path, tmp_path, feeds)[name], expected)


def of_type(code: int, folder, ends: bool = False):
    """y = x + 1/3 in one float type; with `ends`, inputs and outputs are float32, as converters leave them."""
    outer = TensorProto.FLOAT if ends else code
    third = onnx.helper.make_tensor("third", code, [], [1 / 3])
    nodes = [
        node("Cast", ["x"], ["a"], "in", to=code),
        node("Add", ["a", "third"], ["b"], "add"),
        node("Cast", ["b"], ["y"], "out", to=outer),
    ]
    tensor = onnx.helper.make_tensor_value_info
    return saved(model_of(nodes, [tensor("x", outer, [4])], [tensor("y", outer, [4])], [third]), folder)


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize(
    ("code", "name"), [(TensorProto.FLOAT16, "float16"), (TensorProto.BFLOAT16, "bfloat16")]
)
def test_a_model_that_is_narrow_already_is_refused_not_matched(tmp_path, code, name, ends):
    path = of_type(code, tmp_path, ends)
    with pytest.raises(BuildFailure, match=f"already in {name}") as caught:
        EmulatorBackend().build(request(path, tmp_path, "fp16"))
    assert "float32 model" in str(caught.value)
    if code == TensorProto.FLOAT16:
        EmulatorBackend().build(request(path, tmp_path, "fp32"))


def test_a_number_computed_from_a_shape_makes_no_narrow_model_a_wide_one(tmp_path):
    """The scale of attention, as the TorchScript exporter writes it: 1 / sqrt(d) in float32, all else in float16."""
    model = model_of(
        [
            node("Shape", ["x"], ["d"], "shape"),
            node("Cast", ["d"], ["d_float"], "cast", to=TensorProto.FLOAT),
            node("Sqrt", ["d_float"], ["root"], "sqrt"),
            node("Div", ["one", "root"], ["scale"], "div"),
            node("Cast", ["scale"], ["scale_half"], "narrow", to=TensorProto.FLOAT16),
            node("Mul", ["x", "scale_half"], ["y"], "mul"),
        ],
        [value("x", [4], TensorProto.FLOAT16)],
        [value("y", [4], TensorProto.FLOAT16)],
        [weight("one", np.ones(1, np.float32))],
    )
    with pytest.raises(BuildFailure, match="already in float16"):
        EmulatorBackend().build(request(saved(model, tmp_path), tmp_path, "fp16"))


def test_float64_is_rounded(tmp_path):
    path = of_type(TensorProto.DOUBLE, tmp_path)
    x = THIRD[:1].astype(np.float64).repeat(4)
    found = emulated(path, tmp_path, {"x": x})["y"]
    assert (found == np.float16(2 * np.float16(1 / 3))).all()
    assert (found != reference(path, tmp_path, {"x": x})["y"]).all()


def test_it_tells_how_many_nodes_work_in_low_precision(tmp_path):
    """A float16 node among float32 ones shows no rounding of its own: it is told as unverified."""
    model = model_of(
        [
            node("Neg", ["x"], ["a"], "wide"),
            node("Neg", ["a"], ["b"], "pinned"),
            node("Cast", ["b"], ["c"], "cast", to=TensorProto.FLOAT16),
            node("Neg", ["c"], ["y"], "narrow"),
        ],
        [value("x", [4])],
        [onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT16, [4])],
    )
    pins = [PinPrecision(("pinned",))]
    info = EmulatorBackend().build(request(saved(model, tmp_path), tmp_path, "fp16", pins)).info()
    assert info.notes == ("1 of 3 float nodes work in fp16",)
    assert info.unverified == ("narrow",)


def test_a_body_that_can_not_be_rounded_is_told(tmp_path):
    """onnx knows no type for an operator of onnxruntime's own."""
    model = with_if()
    branch = model.graph.node[3].attribute[1].g
    branch.node[0].CopyFrom(node("FastGelu", ["doubled"], ["then_y"], "gelu", domain="com.microsoft"))
    model.graph.node[3].attribute[1].g.output[0].ClearField("type")
    model.opset_import.add(domain="com.microsoft", version=1)
    info = EmulatorBackend().build(request(saved(model, tmp_path), tmp_path, "fp16")).info()
    assert info.unverified == ("branch",)
    assert "1 nodes inside a body could not be emulated in low precision: gelu" in info.notes


@pytest.mark.parametrize("name", ["capability.onnx", "custom_op_node.onnx"])
def test_a_model_that_onnxruntime_refuses_is_a_build_failure_in_one_line(model_path, tmp_path, name):
    with pytest.raises(BuildFailure) as caught:
        emulated(model_path(f"polygraphy/{name}"), tmp_path, {})
    assert "\n" not in str(caught.value)


def test_the_mnist_network_keeps_its_classes(tmp_path):
    path = saved(mnist(), tmp_path)
    feeds = {"tensor-0": np.random.default_rng(0).random((4, 1, 28, 28), np.float32)}
    expected = reference(path, tmp_path, feeds)["tensor-15"]
    np.testing.assert_array_equal(emulated(path, tmp_path, feeds)["tensor-15"], expected)


def test_names_of_outputs_stay(tmp_path):
    path = saved(identity_add_identity(), tmp_path)
    found = emulated(
        path, tmp_path, {"tensor0": np.ones((1, 3, 64, 64), np.float32)}, outputs=written_by(path)
    )
    assert list(found) == ["tensor1", "tensor2", "tensor3"]


def test_that_onnxruntime_refuses_the_model_that_rounds_is_said(add, tmp_path, monkeypatch):
    """The reference may run the model that the user gave."""

    def refuses(*_):
        raise BuildFailure("onnxruntime cannot load the model: no", "Do.", node="add")

    monkeypatch.setattr("trtdebug.backends.emulator.open_engine", refuses)
    with pytest.raises(BuildFailure) as caught:
        EmulatorBackend().build(request(add, tmp_path, "fp16"))
    said = caught.value
    assert said.message == "with fp16 rounding put in, onnxruntime cannot load the model: no"
    assert (said.hint, said.node) == ("Do.", "add")
