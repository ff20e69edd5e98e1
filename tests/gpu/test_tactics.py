"""Tactics on real TensorRT, where it has an algorithm selector: chosen, banned, searched, recorded.

Choosing makes the builder time every tactic of every layer, identical ones too: a second or so for a large convolution.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import BuildRequest, Tensor
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.tactic_replay import TACTICS_FILE, read_replay
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, Intervention, UseTactic
from trtdebug.core.outcome import EngineInfo

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
FP16 = BuildOptions(precision="fp16", tf32=False)
NOWHERE = UseTactic("no such layer", "*:0x0")
"""Has a selector look at every layer, and changes none."""


@pytest.fixture(autouse=True)
def _selector() -> None:
    pytest.importorskip("tensorrt")
    if not compat.has("ALGORITHM_SELECTOR"):
        pytest.skip("this TensorRT has no algorithm selector")


@dataclass(frozen=True)
class Built:
    outputs: dict[str, Tensor]
    info: EngineInfo
    artifacts: Path

    @property
    def shown(self) -> dict[str, str | None]:
        """Tactic by layer, as the inspector tells."""
        return {x.name: x.tactic_id for x in self.info.layers}


@dataclass(frozen=True)
class Convolution:
    """512x512x3x3 on 7x7, as the last ones of a ResNet-18."""

    path: Path
    x: Tensor
    reference: Tensor

    def error(self, found: Tensor) -> float:
        """Relative RMS error."""
        return float(np.linalg.norm(found - self.reference) / np.linalg.norm(self.reference))


@pytest.fixture(scope="module")
def convolution(tmp_path_factory: pytest.TempPathFactory) -> Convolution:
    random = np.random.default_rng(0)
    weights = random.normal(0, (2 / (512 * 9)) ** 0.5, (512, 512, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv", kernel_shape=[3, 3], pads=[1] * 4)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 512, 7, 7]) for n in "xy")
    graph = helper.make_graph([node], "conv", [x], [y], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("conv") / "conv.onnx"
    onnx.save(model, path)
    values = random.normal(size=(1, 512, 7, 7)).astype(np.float32)
    return Convolution(path, values, _ort(model, {"x": values})["y"])


def _ort(model: onnx.ModelProto, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    backend = TensorrtBackend()

    def make(model: Path, feeds: dict[str, Tensor], *rules: Intervention, name: str = "build") -> Built:
        request = BuildRequest(model, FP16, tmp_path, interventions=rules, artifacts=tmp_path / name)
        engine = backend.build(request)
        try:
            return Built(engine.run(feeds), engine.info(), tmp_path / name)
        finally:
            engine.close()

    return make


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def report(*words: object) -> dict[str, Any]:
        line = [sys.executable, "-m", "trtdebug", "run", *map(str, words), "--json", "--quiet"]
        line += ["--session", str(tmp_path / "session")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        print(found["verdict"], found["trials"], found["stages"], found["culprits"], found["unknown"])
        return found

    return report


def _by_types(info: EngineInfo, layer: str, types: str) -> list[str]:
    [told] = [t for t in info.tactics if t.layer == layer]
    return [t.tactic for t in told.offered if types in t.types]


def test_a_tactic_is_used_and_banned_and_the_inspector_shows_it(
    convolution: Convolution, build: Callable[..., Built]
) -> None:
    feeds = {"x": convolution.x}
    looked = build(convolution.path, feeds, NOWHERE)
    assert looked.info.ignored
    exact, rough = _by_types(looked.info, "conv", "FLOAT"), _by_types(looked.info, "conv", "HALF")
    print(len(exact), "exact,", len(rough), "rough")
    assert len(exact) > 20
    assert len(rough) > 20
    for tactic in (exact[0], exact[-1], rough[0], rough[-1]):
        used = build(convolution.path, feeds, UseTactic("conv", tactic), name=tactic.replace(":", "_"))
        assert used.info.ignored == ()
        assert used.shown["conv"] == tactic.partition(":")[2]
        print(tactic, convolution.error(used.outputs["y"]))
    banned = build(convolution.path, feeds, *(BanTactic("conv", t) for t in rough), name="banned")
    assert banned.info.ignored == ()
    assert banned.shown["conv"] in {t.partition(":")[2] for t in exact}
    assert convolution.error(banned.outputs["y"]) < 1e-5


def test_bad_tactics_of_one_convolution_are_banned_in_twelve_builds(
    convolution: Convolution, run: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """The tolerance lies between tactics that accumulate in FP32 and those that do in FP16."""
    np.savez(tmp_path / "inputs.npz", x=convolution.x)
    tolerance = ("--rms", 1e-3, "--inputs", tmp_path / "inputs.npz")
    report = run(convolution.path, "--fp16", "--no-tf32", *tolerance, "--fix-builds", 5)
    assert report["verdict"] == "diverges"
    [culprit] = report["culprits"]
    assert (culprit["kind"], culprit["nodes"], culprit["proven"]) == ("tactic", ["conv"], True)
    fix = report["fixes"][-1]
    assert fix["kind"] == "tactic"
    assert fix["verified"], fix["reason"]
    assert fix["builds_passed"] == [5, 5]
    assert len(fix["interventions"]) > 20
    assert report["trials"]["builds"] <= 12


@pytest.mark.timeout(900)
def test_the_one_layer_of_a_network_that_breaks_its_tolerance_is_found(
    run: Callable[..., dict[str, Any]], build: Callable[..., Built], tmp_path: Path
) -> None:
    """Tensors within the network are outputs too, one with a tolerance that only FP32 tactics of its layer keep.

    All are outputs in the probe and in the run, so that the builder has the same to choose from.
    """
    source = tmp_path / "cnn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "cnn.py", source], check=True)
    model = onnx.load(source)
    tensors = [n.output[0] for n in model.graph.node if n.op_type == "Relu"]
    model.graph.output.extend(helper.make_tensor_value_info(t, TensorProto.FLOAT, None) for t in tensors)
    onnx.save(model, source)
    image = np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(np.float32)
    reference = _ort(model, {"image": image})
    natural = build(source, {"image": image})
    errors = {
        t: float(np.linalg.norm(natural.outputs[t] - reference[t]) / np.linalg.norm(reference[t]))
        for t in tensors
    }
    print(errors)
    tensor = next(
        t for t in tensors if errors[t] > 1e-5
    )  # what comes before it is exact, so the error is its own
    np.savez(tmp_path / "inputs.npz", image=image)
    tolerance = ("--rms", f"{tensor}:{errors[tensor] / 3}", "--inputs", tmp_path / "inputs.npz")
    report = run(source, "--fp16", "--no-tf32", *tolerance, "--builds", 1, "--fix-builds", 1)
    [culprit, *others] = [c for c in report["culprits"] if c["kind"] == "tactic" and c["proven"]]
    if tensor != "stem_relu":  # before it the builder may have put a layer that rounds, such as the pooling
        culprit = next(c for c in (culprit, *others) if tensor in c["nodes"])
    assert tensor in culprit["nodes"]  # a node of cnn bears its output's name
    assert len(culprit["nodes"]) <= 3
    assert len(others) <= 1
    assert report["fixes"][-1]["verified"]


def test_banning_the_only_implementation_says_so(
    convolution: Convolution, build: Callable[..., Built], tmp_path: Path
) -> None:
    looked = build(convolution.path, {"x": convolution.x}, NOWHERE)
    [told] = [t for t in looked.info.tactics if t.layer == "conv"]
    with pytest.raises(
        BuildFailure, match=rf"all {len(told.offered)} tactics .* 'conv' are banned"
    ) as failure:
        build(convolution.path, {"x": convolution.x}, *(BanTactic("conv", t.tactic) for t in told.offered))
    assert "Pin" in failure.value.hint


def test_a_block_of_myelin_has_one_implementation_and_that_is_said(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    path = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", path], check=True)
    [value] = onnx.load(path).graph.input
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    feeds = {value.name: np.zeros(shape, np.float32)}
    looked = build(path, feeds, NOWHERE)
    print([(t.layer, t.offered) for t in looked.info.tactics])
    blocks = [t for t in looked.info.tactics if "{ForeignNode[" in t.layer]
    assert blocks
    assert all(len(t.offered) == 1 for t in blocks)
    with pytest.raises(BuildFailure, match="Myelin as a whole"):
        build(path, feeds, BanTactic(blocks[0].layer, blocks[0].offered[0].tactic))


def test_polygraphy_reads_and_replays_our_recording(
    convolution: Convolution, build: Callable[..., Built], tmp_path: Path
) -> None:
    feeds = {"x": convolution.x}
    looked = build(convolution.path, feeds, NOWHERE)
    exact, rough = _by_types(looked.info, "conv", "FLOAT"), _by_types(looked.info, "conv", "HALF")
    build(convolution.path, feeds, UseTactic("conv", exact[3]), name="good")
    build(convolution.path, feeds, UseTactic("conv", rough[3]), name="bad")
    command = [
        "-c",
        "from polygraphy.tools import main; main()",
        "inspect",
        "diff-tactics",
        "--dir",
        str(tmp_path),
    ]
    told = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout
    assert "Layer: conv" in told
    good = read_replay(tmp_path / "good" / TACTICS_FILE)
    assert good["conv"].name == exact[3]
    assert _replayed(convolution.path, tmp_path / "good" / TACTICS_FILE) == exact[3].partition(":")[2]


def _replayed(model: Path, recording: Path) -> str:
    """Tactic of the convolution in an engine that Polygraphy builds by a recording."""
    import tensorrt as trt
    from polygraphy.backend.trt import (
        CreateConfig,
        TacticReplayer,
        engine_bytes_from_network,
        engine_from_bytes,
        network_from_onnx_path,
    )

    builder, network, _parser = network_from_onnx_path(str(model))
    config = CreateConfig(
        fp16=True,
        tf32=False,
        algorithm_selector=TacticReplayer(str(recording)),
        profiling_verbosity=trt.ProfilingVerbosity.DETAILED,
    )(builder, network)
    engine = engine_from_bytes(engine_bytes_from_network((builder, network), config=config))
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    [conv] = [x for x in json.loads(text, strict=False)["Layers"] if x["Name"] == "conv"]
    return str(conv["TacticValue"])
