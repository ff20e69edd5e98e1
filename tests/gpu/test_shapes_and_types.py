"""Shapes, types, INT8, plugins and relaxed constraints on real TensorRT; small models, level 0, one process."""

from __future__ import annotations

import ctypes.util
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from shape_cases import (
    F32,
    SHAPE_CASES,
    ShapeCase,
    model,
    node,
    normal,
    quantised,
    recorded,
    unquantised,
)

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.backends.tensorrt import compat, precision
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.builder import NetworkBuilder
from trtdebug.backends.tensorrt.plugin_libraries import libraries_obstacle
from trtdebug.backends.tensorrt.run import TensorrtEngine
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.intervention import ForcePrecision, Intervention, Knob, MarkOutputs, PinPrecision
from trtdebug.graph.load import save_model
from trtdebug.session.perform import perform

pytestmark = pytest.mark.gpu

FP32 = BuildOptions(tf32=False, optimization_level=0)
FP16 = BuildOptions(precision="fp16", tf32=False, optimization_level=0)
INT8 = BuildOptions(precision="int8", tf32=False, optimization_level=0)
Build = Callable[..., TensorrtEngine]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds an engine of a model that is closed after the test."""
    engines = []

    def _build(made: onnx.ModelProto, options: BuildOptions, *interventions: Intervention, **more):
        path = tmp_path / f"model{len(engines)}.onnx"
        save_model(made, path)
        engines.append(TensorrtBackend().build(BuildRequest(path, options, tmp_path, interventions, **more)))
        return engines[-1]

    yield _build
    for engine in engines:
        engine.close()


def reference(made: onnx.ModelProto, feeds: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    save_model(made, folder / "reference.onnx")
    return OnnxruntimeBackend().build(BuildRequest(folder / "reference.onnx", FP32, folder)).run(feeds)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected))


# shapes and types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPE_CASES)
def test_one_engine_agrees_on_all_samples(name: str, tmp_path: Path) -> None:
    case: ShapeCase = SHAPE_CASES[name]()
    outcome = perform(case.job(recorded(case, tmp_path)), TensorrtBackend(), tmp_path)
    assert outcome.status == "pass", outcome.reason
    assert {e.tensor for e in outcome.tensors} == set(case.outputs)
    assert outcome.engine is not None
    assert not [n for n in outcome.engine.notes if "BOOL" in n or "boolean" in n], outcome.engine.notes


def test_outputs_come_in_the_models_types(build: Build, tmp_path: Path) -> None:
    for name in ("booleans in and out", "bytes in and out", "INT64 in, out and inside", "FP64 in and out"):
        case = SHAPE_CASES[name]()
        expected = reference(case.model, case.samples[0], tmp_path)
        found = build(case.model, FP32).run(case.samples[0])
        assert {n: v.dtype for n, v in found.items()} == {n: v.dtype for n, v in expected.items()}


def test_bf16_goes_in_and_comes_out(build: Build) -> None:
    if not compat.has("BF16_TYPE"):
        pytest.skip("this TensorRT has no BF16")
    bf16 = TensorProto.BFLOAT16
    made = model([node("Relu", "x", "y", "relu")], [("x", bf16, [2, 3])], [("y", bf16, [2, 3])])
    found = build(made, BuildOptions(precision="bf16", optimization_level=0)).run(
        {"x": np.float32([[1, -2, 3], [-4, 5, 0.5]])}
    )
    np.testing.assert_array_equal(found["y"].astype(np.float32), [[1, 0, 3], [0, 5, 0.5]])


def test_values_outside_the_samples_are_refused_before_they_reach_tensorrt(build: Build) -> None:
    case = SHAPE_CASES["an input that holds a shape"]()
    values = {"target": Profile((2, 3), (2, 5), (2, 9))}
    engine = build(case.model, FP32, values=values)
    assert engine.run({"x": normal(2, 1), "target": np.int64([2, 7])})["y"].shape == (2, 7)
    with pytest.raises(BuildFailure, match=r"'target' holds the shape \[2, 10\]"):
        engine.run({"x": normal(2, 1), "target": np.int64([2, 10])})
    with pytest.raises(BuildFailure, match="'target' holds a shape, so TensorRT has to know its values"):
        build(case.model, FP32)


@pytest.mark.parametrize("lengths", [(8,), (5, 8), (8, 2, 5, 5, 8)], ids=str)
def test_a_length_is_believed_whatever_ran_before(lengths: tuple[int, ...], build: Build) -> None:
    """TensorRT tunes for 5; where it is wrong at 8 in a fresh engine already, the fault is its own."""
    case = SHAPE_CASES["an input that holds a length, a scalar"]()
    engine = build(case.model, FP32, values={"limit": Profile((2,), (5,), (8,))})
    found = [engine.run({"limit": np.array(n, np.int64)})["y"].tolist() for n in lengths]
    assert found == [list(range(n)) for n in lengths]


def test_boolean_tensors_are_observed(build: Build, tmp_path: Path) -> None:
    case = SHAPE_CASES["booleans in and out"]()
    found = build(case.model, FP32, MarkOutputs(("positive",))).run(case.samples[0])
    assert found["positive"].dtype == np.bool_
    np.testing.assert_array_equal(found["positive"], case.samples[0]["x"] > 0)


def test_boolean_outputs_that_do_not_build_are_converted(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first build is made to fail; the second one, with the conversion, is TensorRT's own."""
    relaxing, attempts = NetworkBuilder._relaxing, []

    def failing_once(self: NetworkBuilder, constrained):
        attempts.append(1)
        if len(attempts) == 1:
            raise BuildFailure("no implementation for a boolean output")
        return relaxing(self, constrained)

    monkeypatch.setattr(NetworkBuilder, "_relaxing", failing_once)
    monkeypatch.setitem(compat.CAPABILITIES, "BOOL_OUTPUTS", compat.Capability(since=(999, 0)))
    case = SHAPE_CASES["booleans in and out"]()
    engine = build(case.model, FP32)
    expected = reference(case.model, case.samples[0], tmp_path)
    for name, value in engine.run(case.samples[0]).items():
        assert value.dtype == expected[name].dtype
        np.testing.assert_array_equal(value, expected[name])
    assert [n for n in engine.info().notes if n.startswith("both, other: boolean, given out as INT32")]


# INT8 ---------------------------------------------------------------------------------------------------


@pytest.fixture
def conv() -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias."""
    rng = np.random.default_rng(5)
    return rng.normal(0, 0.1, (8, 8, 3, 3)).astype(np.float32), rng.normal(0, 0.1, 8).astype(np.float32)


@pytest.fixture
def image() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(6).normal(size=(1, 8, 16, 16)).clip(-3, 3).astype(np.float32)}


@pytest.mark.parametrize("options", [INT8, FP16, FP32], ids=lambda o: o.precision)
def test_a_quantised_model_builds_whatever_else_is_allowed(options, conv, image, build, tmp_path) -> None:
    made = quantised(*conv)
    engine = build(made, options)
    assert relative(engine.run(image)["y"], reference(made, image, tmp_path)["y"]) < 2e-2
    if options is not INT8 and compat.has("INT8_FLAG"):
        assert [n for n in engine.info().notes if n.startswith("INT8 is allowed too")]


def test_a_conv_of_computed_weights_without_kernel_shape_is_right_or_blamed(
    conv, image, build, tmp_path
) -> None:
    """The attribute may be left out in ONNX; the parser of TensorRT 8.6 does not look at the weights instead."""
    made, failure = quantised(*conv, kernel_shape=None), None
    try:
        found = build(made, INT8).run(image)["y"]
    except BuildFailure as refused:
        failure = refused
    if failure is None:
        assert relative(found, reference(made, image, tmp_path)["y"]) < 2e-2
    else:
        assert failure.node == "conv"
        assert "kernel shape" in failure.message


@pytest.mark.parametrize("options", [INT8, FP16], ids=lambda o: o.precision)
def test_a_pin_beside_quantisation_leaves_the_pairs_whole(options, conv, image, build, tmp_path) -> None:
    """The pinned node computes in FP32 on quantised values: nearer to them than INT8 sums, and still quantised."""
    made = quantised(*conv)
    found = build(made, options, PinPrecision(("conv", "relu"))).run(image)["y"]
    assert relative(found, reference(made, image, tmp_path)["y"]) < 1e-2
    assert relative(found, reference(unquantised(*conv), image, tmp_path)["y"]) > 1e-3
    steps = found / np.float32(4 / 127)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def cache(version: str, **scales: float) -> str:
    """Text of a calibration cache; TensorRT 8.6.0 calls itself 8600 there, 10.16.1 101601."""
    major, minor, patch = (int(n) for n in version.split(".")[:3])
    number = major * 10000 + minor * 100 + patch if major >= 10 else major * 1000 + minor * 100 + patch
    lines = [f"{name}: {struct.pack('>f', scale).hex()}" for name, scale in scales.items()]
    return "\n".join([f"TRT-{number}-EntropyCalibration2", *lines, ""])


def test_a_calibration_cache_gives_the_scales(conv, image, build, tmp_path) -> None:
    made, file = unquantised(*conv), tmp_path / "model.cache"
    version = compat.installed()
    file.write_text(cache(version, x=3 / 127, h=4 / 127, y=4 / 127))
    options = BuildOptions(precision="int8", tf32=False, optimization_level=0, calibration_cache=str(file))
    if not compat.has("CALIBRATION"):
        with pytest.raises(BuildFailure, match="no calibration any more"):
            build(made, options)
        return
    before = file.read_bytes()
    error = relative(build(made, options).run(image)["y"], reference(made, image, tmp_path)["y"])
    assert error < 5e-2
    assert file.read_bytes() == before


def test_int8_without_scales_does_not_build_and_says_so(conv, build) -> None:
    if not compat.has("INT8_FLAG"):
        pytest.skip("this TensorRT has no INT8 flag")
    with pytest.raises(BuildFailure, match="no scaling factors"):
        build(unquantised(*conv), INT8)


def test_options_that_cannot_be_are_refused_before_any_build(conv, tmp_path) -> None:
    save_model(unquantised(*conv), tmp_path / "plain.onnx")
    broken = tmp_path / "broken.so"
    broken.write_text("hello")
    with pytest.raises(UserError, match="--int8 needs scales"):
        TensorrtBackend().check_options(INT8, tmp_path / "plain.onnx")
    with pytest.raises(UserError, match=r"broken\.so cannot be loaded"):
        TensorrtBackend().check_options(BuildOptions(plugins=(str(broken),)), tmp_path / "plain.onnx")


# TF32, plugins, constraints -----------------------------------------------------------------------------


def test_tf32_is_used_only_where_it_is_allowed(build: Build, tmp_path: Path) -> None:
    weights = normal(1024, 1024)
    made = model(
        [node("MatMul", "x w", "y", "fc")],
        [("x", F32, [1024, 1024])],
        [("y", F32, [1024, 1024])],
        {"w": weights},
    )
    feeds = {"x": normal(1024, 1024)}
    exact = feeds["x"].astype(np.float64) @ weights.astype(np.float64)
    error = {
        name: relative(build(made, options, *knobs).run(feeds)["y"], exact)
        for name, options, knobs in (
            ("on", BuildOptions(), ()),
            ("off", BuildOptions(tf32=False), ()),
            ("knob off", BuildOptions(), (Knob("tf32", "off"),)),
        )
    }
    assert error["off"] < 1e-5
    assert error["knob off"] < 1e-5
    assert 1e-5 < error["on"] < 5e-3, error
    assert error["on"] > 5 * error["off"]


def no_libraries_for_plugins() -> tuple[Knob, ...]:
    """TensorRT opens cuBLAS and cuDNN for whatever plugin there is, where they are tactic sources; not every host has
    them."""
    import tensorrt

    there = compat.names(tensorrt.TacticSource)
    unwanted = [f"-{name}" for name in ("CUBLAS", "CUBLAS_LT", "CUDNN") if name in there]
    return (Knob("tactic_sources", ",".join(unwanted)),) if unwanted else ()


def test_a_plugin_of_tensorrts_own_is_built_and_run_and_the_reference_says_that_it_lacks_it(
    build: Build, tmp_path: Path
) -> None:
    gelu = node("CustomGeluPluginDynamic", "x", "h", "gelu", domain="trt.plugins", type_id=0)
    twice = node("Add", "h h", "y", "twice")
    shape = [2, 3, 8]
    made = model([gelu, twice], [("x", F32, shape)], [("y", F32, shape)], domains=["trt.plugins"])
    x = normal(*shape)
    wanted = x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))  # twice the GELU
    engine = build(made, FP32, *no_libraries_for_plugins())
    assert relative(engine.run({"x": x})["y"], wanted) < 5e-3
    with pytest.raises(BuildFailure, match="CustomGeluPluginDynamic"):
        reference(made, {"x": x}, tmp_path)


def test_a_library_without_plugins_is_named_and_does_no_harm(build: Build) -> None:
    libm = ctypes.util.find_library("m")
    assert libm is not None
    assert libraries_obstacle([libm]) == ""
    case = SHAPE_CASES["scalars"]()
    engine = build(case.model, BuildOptions(plugins=(libm,), optimization_level=0))
    assert f"the library {libm} registers no plugin" in engine.info().notes


def test_constraints_that_cannot_be_obeyed_are_relaxed_and_the_note_names_them(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """FP16 is set where it is known to be refused: on the layer that puts the extents of the Slice together."""
    plain = precision.refusal
    monkeypatch.setattr(
        precision, "refusal", lambda layer, op: None if layer.type == "CONCATENATION" else plain(layer, op)
    )
    nodes = [
        node("Mul", "x x", "square", "square"),
        node("Shape", "x", "shape", "shape"),
        node("Gather", "shape one", "length", "length", axis=0),
        node("Cast", "length", "f", "to_float", to=F32),
        node("Mul", "f half", "halved", "halve"),
        node("Cast", "halved", "k", "to_int", to=TensorProto.INT64),
        node("Slice", "square zero k one", "y", "slice"),
    ]
    weights = {"one": np.int64([1]), "zero": np.int64([0]), "half": np.float32(0.5)}
    made = model(nodes, [("x", F32, [2, "n"])], [("y", F32, [2, "m"])], weights)
    profile = Profile((2, 4), (2, 4), (2, 8))
    if not compat.has("LAYER_PRECISION"):
        pytest.skip("this TensorRT has no layer precision")
    engine = build(made, FP16, ForcePrecision("fp16"), profiles={"x": profile})
    x = normal(2, 4)
    relaxed = [n for n in engine.info().notes if n.startswith("precision constraints")]
    assert relaxed
    assert "[Concatenation]" in relaxed[0]
    assert "dropped" in relaxed[0]
    assert relative(engine.run({"x": x})["y"], reference(made, {"x": x}, tmp_path)["y"]) < 1e-2
