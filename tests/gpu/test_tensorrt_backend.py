"""The TensorRT backend on a real GPU: builds, precision, marks, shapes, types, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.inspect import inspector_json
from trtdebug.backends.tensorrt.logger import trt_logger
from trtdebug.backends.tensorrt.timed_build import TimedBuild, Timings
from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BreakFusion, ForcePrecision, Knob, MarkOutputs, PinPrecision

pytestmark = pytest.mark.gpu

FP32 = BuildOptions(tf32=False, optimization_level=0)
FP16 = BuildOptions(precision="fp16", tf32=False, optimization_level=0)
FORCE = ForcePrecision("fp16")
RNG = np.random.default_rng(7)


def save(path: Path, nodes, inputs, outputs, weights=(), opset=13) -> Path:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value(n, t, s) for n, t, s in inputs],
        [value(n, t, s) for n, t, s in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    """fc1 -> bias -> relu -> fc2, batch dynamic."""
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], "fc1"),
        helper.make_node("Add", ["h", "b1"], ["hb"], "bias"),
        helper.make_node("Relu", ["hb"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], "fc2"),
    ]
    weights = [
        ("w1", RNG.normal(0, 0.2, (32, 64)).astype(np.float32)),
        ("b1", RNG.normal(0, 0.2, 64).astype(np.float32)),
        ("w2", RNG.normal(0, 0.2, (64, 8)).astype(np.float32)),
    ]
    return save(tmp_path / "mlp.onnx", nodes, [("x", 1, ["n", 32])], [("y", 1, ["n", 8])], weights)


@pytest.fixture
def cnn(tmp_path: Path) -> Path:
    """Three pairs of Conv and Relu."""
    nodes, weights, tensor, channels = [], [], "x", 8
    for k in range(3):
        weights.append((f"w{k}", RNG.normal(0, 0.1, (8, channels, 3, 3)).astype(np.float32)))
        conv = helper.make_node("Conv", [tensor, f"w{k}"], [f"c{k}"], f"conv{k}", pads=[1, 1, 1, 1])
        tensor = "y" if k == 2 else f"r{k}"
        nodes += [conv, helper.make_node("Relu", [f"c{k}"], [tensor], f"relu{k}")]
    shape = [1, 8, 16, 16]
    return save(tmp_path / "cnn.onnx", nodes, [("x", 1, shape)], [("y", 1, shape)], weights)


@pytest.fixture
def overflow(tmp_path: Path) -> Path:
    """x * x * 1e-4: the square is beyond FP16, the result is not."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Mul", ["h", "h"], ["s"], "square"),
        helper.make_node("ReduceMean", ["s"], ["m"], "mean", axes=[-1], keepdims=1),
        helper.make_node("Sqrt", ["m"], ["q"], "root"),
        helper.make_node("Div", ["h", "q"], ["y"], "divide"),
    ]
    weights = [("w", np.eye(32, dtype=np.float32) * 1000)]
    return save(tmp_path / "overflow.onnx", nodes, [("x", 1, [4, 32])], [("y", 1, [4, 32])], weights)


PROFILE = {"x": Profile((1, 32), (4, 32), (8, 32))}


@pytest.fixture
def build(tmp_path: Path) -> Iterator:
    engines = []

    def _build(model: Path, options: BuildOptions, *interventions, **more):
        engine = TensorrtBackend().build(BuildRequest(model, options, tmp_path, interventions, **more))
        engines.append(engine)
        return engine

    yield _build
    for engine in engines:
        engine.close()


def reference(model: Path, feeds, tmp_path: Path, outputs=None):
    return OnnxruntimeBackend().build(BuildRequest(model, FP32, tmp_path, outputs=outputs)).run(feeds)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected))


def x(rows: int = 4) -> dict[str, np.ndarray]:
    return {"x": RNG.normal(size=(rows, 32)).astype(np.float32)}


def test_probe_names_version_and_gpu() -> None:
    found = TensorrtBackend().probe()
    assert found.ok
    assert compat.parse_version(found.version) >= (8, 6)
    assert "NVIDIA" in found.device


def test_fp32_without_tf32_matches_the_reference(mlp: Path, build, tmp_path: Path) -> None:
    feeds = x()
    engine = build(mlp, FP32, profiles=PROFILE)
    assert relative(engine.run(feeds)["y"], reference(mlp, feeds, tmp_path)["y"]) < 1e-6
    info = engine.info()
    assert info.backend == "tensorrt"
    assert info.layers
    assert info.refused == ()


def test_forced_fp16_really_computes_in_fp16(mlp: Path, build, tmp_path: Path) -> None:
    feeds = x()
    error = relative(
        build(mlp, FP16, FORCE, profiles=PROFILE).run(feeds)["y"], reference(mlp, feeds, tmp_path)["y"]
    )
    assert 1e-5 < error < 1e-2


def test_everything_pinned_is_fp32_again(mlp: Path, build, tmp_path: Path) -> None:
    feeds = x()
    pins = PinPrecision(("fc1", "bias", "relu", "fc2"))
    found = build(mlp, FP16, FORCE, pins, profiles=PROFILE).run(feeds)["y"]
    assert relative(found, reference(mlp, feeds, tmp_path)["y"]) < 1e-6


def test_forced_fp16_overflows_and_pins_cure_it(overflow: Path, build, tmp_path: Path) -> None:
    feeds = x()
    expected = reference(overflow, feeds, tmp_path)["y"]
    assert relative(build(overflow, FP16, FORCE).run(feeds)["y"], expected) > 0.5
    cured = build(overflow, FP16, FORCE, PinPrecision(("square", "mean", "root")))
    assert relative(cured.run(feeds)["y"], expected) < 1e-2


def test_pins_are_honoured_in_the_engine(cnn: Path, build) -> None:
    """Read from the inspector's JSON by itself: the pinned pair stores FP32, the others store FP16."""
    engine = build(cnn, FP16, FORCE, PinPrecision(("conv1", "relu1")))
    layers = json.loads(inspector_json(engine._engine), strict=False)["Layers"]

    def stored(node: str) -> set[str]:
        mine = [e for e in layers if node in re.findall(r"\w+", e["Name"]) and "Reformat" not in e["Name"]]
        return {str(t) for e in mine for t in e["Outputs"]}

    assert all("FP32" in t or "Float" in t for t in stored("relu1")), stored("relu1")
    assert all("FP16" in t or "Half" in t for t in stored("relu0")), stored("relu0")
    info = engine.info()
    assert info.refused == ()
    assert {"relu0", "relu1"}.isdisjoint(info.unverified)


def test_marked_tensors_come_out_with_their_values(mlp: Path, build, tmp_path: Path) -> None:
    feeds = x()
    wanted = ("y", "hb", "r")
    found = build(mlp, FP32, profiles=PROFILE, outputs=wanted).run(feeds)
    expected = reference(mlp, feeds, tmp_path, wanted)
    assert list(found) == list(wanted)
    for name in wanted:
        assert relative(found[name], expected[name]) < 1e-6
    both = build(mlp, FP16, FORCE, MarkOutputs(("h",)), BreakFusion("r"), profiles=PROFILE).run(feeds)
    assert list(both) == ["y", "h"]
    assert both["h"].dtype == np.float32


def test_unknown_names_are_refused(mlp: Path, build) -> None:
    with pytest.raises(BuildFailure, match="'nope' is no tensor"):
        build(mlp, FP32, profiles=PROFILE, outputs=("nope",))
    with pytest.raises(BuildFailure, match="'nope', which is no node"):
        build(mlp, FP16, PinPrecision(("nope",)), profiles=PROFILE)
    with pytest.raises(BuildFailure, match="'nope'"):
        build(mlp, FP16, Knob("nope", "1"), profiles=PROFILE)
    with pytest.raises(BuildFailure, match="no tactic source 'NOPE'"):
        build(mlp, FP16, Knob("tactic_sources", "NOPE"), profiles=PROFILE)


def test_one_engine_takes_every_shape_of_its_profile_and_no_other(mlp: Path, build, tmp_path: Path) -> None:
    engine = build(mlp, FP32, profiles=PROFILE)
    for rows in (1, 8, 3):
        feeds = x(rows)
        found = engine.run(feeds)["y"]
        assert found.shape == (rows, 8)
        assert relative(found, reference(mlp, feeds, tmp_path)["y"]) < 1e-6
    with pytest.raises(BuildFailure, match=r"\(9, 32\)"):
        engine.run(x(9))
    with pytest.raises(BuildFailure, match="no profile"):
        build(mlp, FP32)


def test_a_result_does_not_change_with_the_next_run(mlp: Path, build) -> None:
    engine = build(mlp, FP32, profiles=PROFILE)
    first = engine.run(x())["y"]
    kept = first.copy()
    second = engine.run(x())["y"]
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_int64_goes_in_and_comes_out(tmp_path: Path, build) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "i"], ["g"], "gather"),
        helper.make_node("ArgMax", ["g"], ["y"], "argmax", axis=1, keepdims=0),
    ]
    table = RNG.normal(size=(10, 5)).astype(np.float32)
    model = save(
        tmp_path / "int.onnx", nodes, [("i", 7, [4])], [("y", 7, [4]), ("g", 1, [4, 5])], [("table", table)]
    )
    engine = build(model, FP32)
    found = engine.run({"i": np.int64([9, 0, 3, 3])})
    assert found["y"].dtype == np.int64
    np.testing.assert_array_equal(found["y"], table[[9, 0, 3, 3]].argmax(1))
    if not compat.has("NATIVE_INT64"):
        with pytest.raises(BuildFailure, match="do not fit"):
            engine.run({"i": np.int64([2**40, 0, 0, 0])})
    with pytest.raises(BuildFailure, match="float32"):
        engine.run({"i": np.zeros(4, np.float32)})
    with pytest.raises(BuildFailure, match="'i'"):
        engine.run({})


def test_a_shape_known_only_at_run_time(tmp_path: Path, build) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["y"], "nonzero")]
    model = save(tmp_path / "nz.onnx", nodes, [("x", 1, [5])], [("y", 7, [1, "k"])])
    engine = build(model, FP32)
    np.testing.assert_array_equal(engine.run({"x": np.float32([0, 1, 0, 0, 2])})["y"], [[1, 4]])
    assert engine.run({"x": np.zeros(5, np.float32)})["y"].shape == (1, 0)


def test_a_parser_error_names_the_node(tmp_path: Path, build) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "fine"),
        helper.make_node("UnknownNode", ["a"], ["y"], "odd_one", domain="my.ops"),
    ]
    model = save(tmp_path / "odd.onnx", nodes, [("x", 1, [2])], [("y", 1, [2])])
    proto = onnx.load(model)
    proto.opset_import.append(helper.make_opsetid("my.ops", 1))
    onnx.save(proto, model)
    with pytest.raises(BuildFailure, match="UnknownNode") as failure:
        build(model, FP32)
    assert failure.value.node == "odd_one"


def test_the_timing_cache_is_written_and_read(mlp: Path, build, tmp_path: Path) -> None:
    cache = tmp_path / "timing.cache"
    options = BuildOptions(tf32=False)
    build(mlp, options, profiles=PROFILE, timing_cache=cache)
    size = cache.stat().st_size
    assert size > 0
    build(mlp, options, profiles=PROFILE, timing_cache=cache)
    assert cache.stat().st_size >= size


def test_timings_of_builds_at_the_same_time_come_together(cnn: Path, build, tmp_path: Path) -> None:
    import tensorrt as trt

    single, half = BuildOptions(tf32=False), BuildOptions(precision="fp16", tf32=False)
    own, others = tmp_path / "own.cache", tmp_path / "others.cache"
    build(cnn, single, timing_cache=own)
    build(cnn, half, FORCE, timing_cache=others)
    timings = [path.read_bytes().partition(b"\n")[2] for path in (own, others)]
    file = TimingCacheFile(tmp_path / "both.cache", "this one")
    config = trt.Builder(trt_logger()).create_builder_config()
    config.set_timing_cache(config.create_timing_cache(timings[0]), False)

    def attempt(begun: Timings) -> None:
        file.write(timings[1])
        begun.keep(config)

    TimedBuild(file).build(attempt)
    both, _ = file.read()
    assert len(both) > max(map(len, timings))
    head = own.read_bytes().partition(b"\n")[0]
    TimingCacheFile(own, json.loads(head)["maker"]).write(both)
    build(cnn, single, timing_cache=own)
    build(cnn, half, FORCE, timing_cache=own)
    again = own.read_bytes().partition(b"\n")[2]
    assert len(again) == len(both)  # nothing was timed anew


def test_tensors_of_integers_and_booleans_do_not_stop_a_forced_build(tmp_path: Path, build) -> None:
    nodes = [
        helper.make_node("Greater", ["x", "zero"], ["p"], "greater"),
        helper.make_node("Cast", ["p"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "x"], ["m"], "mul"),
        helper.make_node("TopK", ["m", "k"], ["y", "i"], "topk"),
    ]
    weights = [("zero", np.float32(0)), ("k", np.int64([2]))]
    model = save(
        tmp_path / "mixed.onnx", nodes, [("x", 1, [2, 8])], [("y", 1, [2, 2]), ("i", 7, [2, 2])], weights
    )
    feeds = {"x": RNG.permutation(16).reshape(2, 8).astype(np.float32) - 4}
    found = build(model, FP16, FORCE).run(feeds)
    expected = reference(model, feeds, tmp_path)
    np.testing.assert_array_equal(found["y"], expected["y"])
    np.testing.assert_array_equal(found["i"], expected["i"])
