"""The TensorRT-RTX backend: builds for real where TensorRT-RTX is at hand; runs on TensorRT's own engines on a GPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import trtdebug_rtx
from trtdebug_rtx import module
from trtdebug_rtx.backend import RtxBackend, _probe
from trtdebug_rtx.engine import BuiltEngine, RunningEngine
from trtdebug_rtx.request import prepare

from trtdebug.backends.base import BuildRequest, TellsSupport
from trtdebug.backends.tensorrt.probe import probe as tensorrt_probe
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.intervention import BanTactic, BreakFusion, ForcePrecision, Knob, MarkOutputs, PinPrecision
from trtdebug.core.outcome import EngineInfo
from trtdebug.graph.load import save_model
from trtdebug.graph.names import name_nodes
from trtdebug.plugins.testing import load_plugin

FP16 = BuildOptions("fp16")
NORM = """<ir_version: 8, opset_import: ["" : 17]> g (float[n, 8] x) => (float[n, 8] y)
    <float two = {2.0}> { s = Pow(x, two) r = Sqrt(s) y = Div(x, r) }"""


@pytest.fixture
def norm(tmp_path: Path) -> Path:
    return written(NORM, tmp_path)


def written(text: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(text)
    name_nodes(model)
    save_model(model, folder / "model.onnx")
    return folder / "model.onnx"


def request(model: Path, *interventions, options: BuildOptions = FP16, outputs=None) -> BuildRequest:
    shapes = Profile((1, 8), (4, 8), (16, 8))
    return BuildRequest(model, options, model.parent, interventions, outputs, profiles={"x": shapes})


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> RtxBackend:
    """The backend, with the TensorRT-RTX that `make setup` fetches if no other is installed."""
    if not module.installed():
        fetched = sorted((Path(sys.prefix) / "tensorrt").glob("*/tensorrt_rtx_bindings"))
        if not fetched:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("TensorRT-RTX is not at hand")
        monkeypatch.syspath_prepend(str(fetched[-1].parent))
    _probe.cache_clear()
    yield RtxBackend()
    _probe.cache_clear()


def test_the_extension_adds_the_backend() -> None:
    backend = load_plugin(trtdebug_rtx).backends()["tensorrt-rtx"]
    assert "RTX" in backend.summary


def test_without_tensorrt_rtx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtdebug_rtx.backend.installed", lambda: "")
    _probe.cache_clear()
    found = RtxBackend().probe()
    _probe.cache_clear()
    assert not found.ok
    assert "pip install tensorrt_rtx" in found.reason


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type by tensor, as inferred."""
    values = onnx.shape_inference.infer_shapes(model).graph
    return {v.name: v.type.tensor_type.elem_type for v in [*values.value_info, *values.output]}


def test_precision_is_said_by_casts(norm: Path) -> None:
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    plain = prepare(request(norm, options=BuildOptions())).model.proto
    low = prepare(request(norm)).model.proto
    pinned = prepare(request(norm, ForcePrecision("fp16"), PinPrecision(("node_of_s",)))).model.proto
    assert [n.op_type for n in plain.graph.node] == ["Pow", "Sqrt", "Div"]
    assert half not in types(plain).values()
    assert types(low)["s__fp16"] == half
    assert types(pinned)["s"] == single
    assert types(pinned)["y"] == single  # the graph's own outputs keep their type


def test_marked_tensors_are_outputs(norm: Path) -> None:
    found = prepare(request(norm, MarkOutputs(("s",)), outputs=("y", "r")))
    assert found.outputs == ("y", "r", "s")
    assert [o.name for o in found.model.proto.graph.output] == ["y", "r", "s"]


@pytest.mark.parametrize(
    ("interventions", "options", "says"),
    [
        ((PinPrecision(("nobody",)),), FP16, "'nobody', which is no node"),
        ((MarkOutputs(("nothing",)),), FP16, "'nothing' is no tensor"),
        ((PinPrecision(("node_of_s",), "bf16"),), FP16, "not fp16 and bf16 at once"),
        ((PinPrecision(("node_of_s",), "int8"),), FP16, "int8"),
        ((Knob("build_route", "x"),), FP16, "build_route is -option=value"),
        ((Knob("strong_typing", "off"),), FP16, "only strongly typed"),
        ((Knob("tactic_sources", "CUBLAS"),), FP16, "no tactic source 'CUBLAS'"),
        ((BanTactic("layer", "0x1"),), FP16, "cannot realise"),
        ((), BuildOptions(plugins=("lib.so",)), "plugin"),
    ],
)
def test_what_it_does_not_have_is_refused(norm: Path, interventions, options, says: str) -> None:
    with pytest.raises(BuildFailure, match=says):
        prepare(request(norm, *interventions, options=options))


def test_options_that_it_does_not_have_are_refused_early(rtx: RtxBackend, norm: Path) -> None:
    with pytest.raises(UserError, match="no tactic source 'CUBLAS'"):
        rtx.check_options(BuildOptions(tactic_sources="-CUBLAS"), norm)
    rtx.check_options(BuildOptions(tactic_sources="-JIT_CONVOLUTIONS"), norm)
    assert rtx.build(request(norm, options=BuildOptions(tactic_sources="-JIT_CONVOLUTIONS"))).info()


def test_the_knobs_that_it_offers_build_all_at_once(rtx: RtxBackend, norm: Path) -> None:
    offers = rtx.knobs(BuildOptions(), ["Conv"])
    assert {"tf32", "strict_nans", "tactic_sources"} <= {k.name for k in offers}
    assert rtx.build(request(norm, *offers)).info().backend == "tensorrt-rtx"
    with pytest.raises(BuildFailure, match="does not take the build route"):
        rtx.build(request(norm, Knob("build_route", "-conv_lowering=off")))


def test_fusions_are_broken_by_neutral_nodes_and_where_that_cannot_be_by_outputs(
    rtx: RtxBackend, norm: Path
) -> None:
    assert rtx.build(request(norm, BreakFusion("s"))).info().notes == ()
    with pytest.raises(BuildFailure, match="'x' is written by no node"):
        rtx.build(request(norm, BreakFusion("x")))


def test_it_builds_without_a_gpu_and_says_why_it_does_not_run(rtx: RtxBackend, norm: Path) -> None:
    engine = rtx.build(request(norm, ForcePrecision("fp16"), PinPrecision(("node_of_s",))))
    assert engine.info().backend == "tensorrt-rtx"
    assert engine.info().unverified == ("node_of_s",)
    if not isinstance(engine, BuiltEngine):
        pytest.skip("this GPU runs TensorRT-RTX")
    with pytest.raises(BuildFailure, match="built the engine, but cannot run it here: "):
        engine.run({"x": np.ones((4, 8), np.float32)})


def test_without_a_gpu_the_obstacle_is_that_there_is_none(
    rtx: RtxBackend, norm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtdebug_rtx.backend.device_name", lambda: "")
    with pytest.raises(BuildFailure, match="cannot run it here: there is no GPU here"):
        rtx.build(request(norm)).run({"x": np.ones((4, 8), np.float32)})


def test_what_the_parser_refuses_names_the_node(rtx: RtxBackend, tmp_path: Path) -> None:
    model = written(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[2, 2] x) => (float y) { r = Relu(x) y = Det(r) }""",
        tmp_path,
    )
    with pytest.raises(BuildFailure, match="Det") as failure:
        rtx.build(request(model))
    assert failure.value.node == "node_of_y"


def test_its_parser_tells_what_it_takes_without_building(rtx: RtxBackend, norm: Path, tmp_path: Path) -> None:
    assert isinstance(rtx, TellsSupport)
    assert rtx.support(request(norm)).parsed
    mixed = written(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[2, 2] x) => (float y) { r = Relu(x) y = Det(r) }""",
        tmp_path,
    )
    found = rtx.support(request(mixed))
    assert (found.parsed, [e.node for e in found.errors]) == (False, ["node_of_y"])
    assert [s.nodes for s in found.subgraphs] == [("node_of_r",)]


def test_a_dynamic_input_wants_a_profile(rtx: RtxBackend, norm: Path) -> None:
    with pytest.raises(BuildFailure, match="no profile is given"):
        rtx.build(BuildRequest(norm, FP16, norm.parent))


@pytest.mark.gpu
def test_an_engine_runs(norm: Path) -> None:
    """The runner on an engine of TensorRT, whose API is the same: data centre GPUs do not run TensorRT-RTX."""
    available = tensorrt_probe()
    if not available.ok:
        pytest.skip(available.reason)
    from polygraphy.backend.trt import CreateConfig, Profile, engine_from_network, network_from_onnx_path

    profile = Profile().add("x", (1, 8), (4, 8), (16, 8))
    built = engine_from_network(network_from_onnx_path(str(norm)), CreateConfig(profiles=[profile]))
    engine = RunningEngine(built, ("y",), EngineInfo("tensorrt-rtx", "", ""))
    for rows in (1, 4, 16):
        x = np.random.default_rng(rows).uniform(1, 2, (rows, 8)).astype(np.float32)
        found = engine.run({"x": x})
        np.testing.assert_allclose(found["y"], np.ones_like(x), rtol=1e-5)
    with pytest.raises(BuildFailure, match="does not take"):
        engine.run({"x": np.ones((17, 8), np.float32)})
    with pytest.raises(BuildFailure, match="float64"):
        engine.run({"x": np.ones((4, 8))})
    with pytest.raises(BuildFailure, match="not given"):
        engine.run({})
    engine.close()
