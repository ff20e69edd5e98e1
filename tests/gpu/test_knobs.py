"""Knobs, neutral nodes and marks on a real builder: all that is offered builds, does nothing else, and is honoured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.config import create_config
from trtdebug.backends.tensorrt.plan import plan_build
from trtdebug.backends.tensorrt.run import TensorrtEngine
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BreakFusion, Intervention, Knob, MarkOutputs

pytestmark = pytest.mark.gpu

FP32 = BuildOptions(tf32=False)
FP16 = BuildOptions(precision="fp16", tf32=False)
Build = Callable[..., TensorrtEngine]


def saved(path: Path, nodes: list[onnx.NodeProto], shapes: dict[str, list[int]], weights: dict) -> Path:
    """Inputs are the tensors of `shapes` that no node writes, outputs the others."""
    written = {t for n in nodes for t in n.output}
    value = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()}
    graph = helper.make_graph(
        nodes,
        "g",
        [v for n, v in value.items() if n not in written],
        [v for n, v in value.items() if n in written],
        [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture
def cnn(tmp_path: Path) -> Path:
    """Two convolutions, each with a bias and a ReLU, and a residual: TensorRT makes two layers of it."""
    rng = np.random.default_rng(3)
    shape = [1, 16, 32, 32]
    weights = {f"w{k}": rng.normal(0, 0.08, (16, 16, 3, 3)) for k in (0, 1)}
    weights |= {f"b{k}": rng.normal(0, 0.1, 16) for k in (0, 1)}
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], "conv0", pads=[1] * 4),
        helper.make_node("Relu", ["c0"], ["r0"], "relu0"),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], "conv1", pads=[1] * 4),
        helper.make_node("Add", ["c1", "x"], ["sum"], "residual"),
        helper.make_node("Relu", ["sum"], ["y"], "relu1"),
    ]
    return saved(tmp_path / "cnn.onnx", nodes, {"x": shape, "y": shape}, weights)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def engine(model: Path, *interventions: Intervention, options: BuildOptions = FP32) -> TensorrtEngine:
        built = TensorrtBackend().build(BuildRequest(model, options, tmp_path, interventions))
        assert isinstance(built, TensorrtEngine)
        return built

    return engine


def image() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(5).normal(size=(1, 16, 32, 32)).astype(np.float32)}


def reference(model: Path, feeds: dict[str, np.ndarray], folder: Path) -> np.ndarray:
    engine = OnnxruntimeBackend().build(BuildRequest(model, BuildOptions(), folder))
    return np.asarray(engine.run(feeds)["y"])


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_whatever_is_offered_builds_and_is_right(cnn: Path, build: Build, tmp_path: Path) -> None:
    feeds = image()
    expected = reference(cnn, feeds, tmp_path)
    offers = TensorrtBackend().knobs(BuildOptions(), ["Conv", "Relu", "Add"])
    assert {"tactic_sources", "tf32", "workspace", "optimization_level"} <= {k.name for k in offers}
    untestable = {}
    for knob in offers:
        try:
            found = build(cnn, knob, options=FP16).run(feeds)["y"]
            assert relative(found, expected) < 1e-2, knob
        except BuildFailure as failure:
            untestable[knob] = failure.message
    # Without this feature 8.6 wants cuBLAS and cuDNN, which not every host has.
    allowed = {Knob("preview_features", "-DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805")}
    assert set(untestable) <= allowed, untestable


def test_every_source_feature_and_level_is_taken(cnn: Path, build: Build, tmp_path: Path) -> None:
    import tensorrt as trt

    feeds, version = image(), str(trt.__version__)
    expected = reference(cnn, feeds, tmp_path)
    sources = [Knob("tactic_sources", f"-{name}") for name in compat.members("TacticSource", version)]
    features = [
        Knob("preview_features", f"{sign}{name}")
        for name in compat.members("PreviewFeature", version)
        for sign in ("", "-")
        if f"{sign}{name}" != "-DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805"
    ]
    levels = [Knob("optimization_level", str(level)) for level in range(5)]
    for knob in (*sources, *features, *levels, Knob("workspace", str(1 << 26))):
        assert relative(build(cnn, knob).run(feeds)["y"], expected) < 1e-5, knob


def test_the_config_reads_back_as_set(cnn: Path) -> None:
    import tensorrt as trt
    from polygraphy.backend.trt import network_from_onnx_path

    from trtdebug.backends.tensorrt.logger import quiet_polygraphy

    version = str(trt.__version__)
    knobs = (
        Knob("tactic_sources", "-JIT_CONVOLUTIONS"),
        Knob("tactic_sources", "-EDGE_MASK_CONVOLUTIONS"),
        Knob("tf32", "off"),
        Knob("optimization_level", "1"),
        Knob("workspace", str(1 << 25)),
        *(Knob("preview_features", f"-{n}") for n in compat.members("PreviewFeature", version)),
    )
    plan = plan_build(BuildRequest(cnn, BuildOptions(), cnn.parent, knobs), version)
    with quiet_polygraphy():
        builder, network, _ = network_from_onnx_path(str(cnn))
        config = create_config(plan, builder, network, b"", None)
    taken = config.get_tactic_sources()
    for dropped in (trt.TacticSource.JIT_CONVOLUTIONS, trt.TacticSource.EDGE_MASK_CONVOLUTIONS):
        assert not taken >> int(dropped) & 1
    assert not config.get_flag(trt.BuilderFlag.TF32)
    assert config.builder_optimization_level == 1
    assert config.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) == 1 << 25
    assert not [n for n, v in trt.PreviewFeature.__members__.items() if config.get_preview_feature(v)]


def test_names_that_this_version_lacks_are_refused(cnn: Path, build: Build) -> None:
    for knob, says in (
        (Knob("tactic_sources", "-NOPE"), "no tactic source 'NOPE'"),
        (Knob("preview_features", "NOPE_1"), "no preview feature 'NOPE_1'"),
        (Knob("workspace", "much"), "workspace is bytes"),
    ):
        with pytest.raises(BuildFailure, match=says):
            build(cnn, knob)


@pytest.mark.parametrize("options", [FP32, FP16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("tensor", ["c0", "r0", "c1"])
def test_a_neutral_node_builds_is_seen_in_memory_and_changes_nothing(
    cnn: Path, build: Build, tmp_path: Path, tensor: str, options: BuildOptions
) -> None:
    feeds = image()
    engine = build(cnn, BreakFusion(tensor), options=options)
    assert not [n for n in engine.info().notes if "relaxed" in n], engine.info().notes
    assert list(engine.run(feeds)) == ["y"]
    limit = 1e-5 if options is FP32 else 1e-2
    assert relative(engine.run(feeds)["y"], reference(cnn, feeds, tmp_path)) < limit
    written = {t.removesuffix("__kept") for t in engine.info().tensors}
    assert tensor in written, engine.info().layers


def test_between_pointwise_operators_a_block_of_myelin_takes_the_neutral_node_in(
    cnn: Path, build: Build, tmp_path: Path
) -> None:
    """Measured on 8.6: what such a block does inside is not shown; only results tell whether the fusion is gone."""
    feeds = image()
    engine = build(cnn, BreakFusion("sum"))
    assert relative(engine.run(feeds)["y"], reference(cnn, feeds, tmp_path)) < 1e-5
    [block] = [layer for layer in engine.info().layers if "sum__apart" in (*layer.nodes, *layer.at_most)]
    assert {"residual", "relu1"} <= {*block.nodes, *block.at_most}


def test_without_it_the_tensor_is_fused_away(cnn: Path, build: Build) -> None:
    assert "c0" not in build(cnn).info().tensors
    assert "c0" in build(cnn, MarkOutputs(("c0",))).info().tensors


def test_a_neutral_node_hands_on_what_is_no_number(build: Build, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "half"], ["h"], "add"),
        helper.make_node("Mul", ["h", "two"], ["y"], "mul"),
    ]
    shape = [2, 8]
    model = saved(tmp_path / "m.onnx", nodes, {"x": shape, "y": shape}, {"half": [0.5], "two": [2.0]})
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    x[0, :5] = [np.nan, np.inf, -np.inf, -0.5, 3e38]
    plain, apart = (build(model, *i).run({"x": x})["y"] for i in ((), (BreakFusion("h"),)))
    np.testing.assert_array_equal(apart, plain)


@pytest.mark.parametrize("sign", [1, -1], ids=["some", "none"])
def test_a_neutral_node_hands_on_what_may_be_empty(build: Build, tmp_path: Path, sign: int) -> None:
    """The positive elements, of which there may be none."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[4, 8] x) => (float[n] y) <float zero = {0}> {
        p = Greater(x, zero) i = NonZero(p) j = Transpose <perm = [1, 0]> (i) h = GatherND(x, j) y = Exp(h) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    x = sign * np.linspace(0.1, 2.0, 32, dtype=np.float32).reshape(4, 8)
    plain, apart = (build(tmp_path / "m.onnx", *i).run({"x": x})["y"] for i in ((), (BreakFusion("h"),)))
    assert plain.shape == (32 if sign > 0 else 0,)
    np.testing.assert_array_equal(apart, plain)


def test_what_ends_an_if_can_be_marked_and_a_constant_cannot(build: Build, tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) <float zero = {0}> {
        [k] k = Constant <value = float {2.0}> ()
        [sum] s = ReduceSum <keepdims = 0> (x) [test] c = Greater(s, zero)
        [if] h = If (c) <then_branch = t () => (float[4] a) { a = Exp(x) },
                         else_branch = e () => (float[4] b) { b = Neg(x) }>
        [mul] y = Mul(h, k) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    engine = build(tmp_path / "m.onnx", MarkOutputs(("h", "k")))
    feeds = {"x": np.arange(4, dtype=np.float32)}
    assert engine.info().unmarked == ("k",)
    assert relative(engine.run(feeds)["h"], np.exp(feeds["x"])) < 1e-5


def test_breaking_what_no_node_can_break_falls_back_to_an_output_and_says_so(
    build: Build, tmp_path: Path
) -> None:
    """A scalar has no rank for the neutral node; as an extra output it is not given back."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], "total", keepdims=0),
        helper.make_node("Sqrt", ["total"], ["root"], "sqrt"),
        helper.make_node("Div", ["x", "root"], ["y"], "div"),
    ]
    model = saved(tmp_path / "m.onnx", nodes, {"x": [4, 8], "y": [4, 8]}, {})
    feeds = {"x": np.abs(np.random.default_rng(1).normal(size=(4, 8))).astype(np.float32)}
    engine = build(model, BreakFusion("total"))
    assert list(engine.run(feeds)) == ["y"]
    assert [n for n in engine.info().notes if n.startswith("relaxed: total made extra outputs")]
    assert relative(engine.run(feeds)["y"], reference(model, feeds, tmp_path)) < 1e-5
