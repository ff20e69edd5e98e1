"""Parsing, strong typing and building of the TensorRT 11 family, for real: TensorRT-RTX needs no GPU for them.

The jobs of a test run in one child process, whose start takes a second.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import bindings
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from op_mix_graphs import op_mix
from random_graphs import random_graph
from rtx_build import Built, Job
from seed_models import model_of, node, value, weight

from trtdebug.core.intervention import Precision
from trtdebug.graph.load import save_model
from trtdebug.graph.names import name_nodes
from trtdebug.graph.neutral import keep_apart

SCRIPT = Path(bindings.__file__).with_name("rtx_build.py")
SAMPLES = Path(__file__).resolve().parents[4] / "samples"
Build = Callable[..., list[Built]]


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], onnx.ModelProto]:
    """Builds one of samples/ by its name."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    return lambda name: importlib.import_module(name).build()


@pytest.fixture
def build(child) -> Build:
    """Builds jobs, in order."""

    def run(*jobs: Job) -> list[Built]:
        lines = "\n".join(json.dumps(asdict(job)) for job in jobs)
        done = child(bindings.RTX).run(str(SCRIPT), said=lines)
        return [Built(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"size"')]

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto], str]:
    """Stores a model with named nodes in a folder of its own; gives its path."""

    def save(model: onnx.ModelProto) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        name_nodes(model)
        save_model(model, folder / "model.onnx")
        return str(folder / "model.onnx")

    return save


def test_low_precision_gets_into_the_network(build, saved, sample) -> None:
    model = saved(sample("layernorm_overflow"))
    plain, low, forced, bf16 = build(
        Job(model), Job(model, "fp16"), Job(model, "fp16", force=True), Job(model, "bf16", force=True)
    )
    assert [b.failure for b in (plain, low, forced, bf16)] == [""] * 4
    assert set(plain.types["norm_pow"]) == {"FLOAT"}
    assert set(low.types["norm_pow"]) == {"HALF"}
    assert forced.types == low.types  # strong typing leaves the builder no choice
    assert set(bf16.types["norm_var"]) == {"BF16"}
    assert set(bf16.types["norm_pow"]) == {"FLOAT"}  # Pow of opset 13 has no BF16 exponent


def test_pins_hold_in_the_network(build, saved, sample) -> None:
    culprits = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")
    [built] = build(
        Job(saved(sample("layernorm_overflow")), "fp16", force=True, pins=dict.fromkeys(culprits, "fp32"))
    )
    assert built.failure == ""
    assert {n: set(built.types[n]) for n in culprits} == {n: {"FLOAT"} for n in culprits}
    for free in ("fc1", "fc2", "norm_div", "fc3", "head"):
        assert "HALF" in built.types[free], free


def test_the_transformer_with_the_pins_of_its_diagnosis(build, saved, sample) -> None:
    pins = {
        f"{ln}_{op}": "fp32" for ln in ("b3_ln1", "b3_ln2", "lnf") for op in ("pow", "var", "eps", "sqrt")
    }
    model = saved(sample("attention"))
    plain, free, pinned = build(
        Job(model), Job(model, "fp16", force=True), Job(model, "fp16", force=True, pins=pins)
    )
    assert [b.failure for b in (plain, free, pinned)] == [""] * 3
    assert free.size < 0.75 * plain.size  # the weights are FP16 in the engine
    assert {n for n in pins if "HALF" in pinned.types[n]} == set()
    assert {n for n in pins if "HALF" in free.types[n]} == set(pins)


def test_tensors_are_marked_as_outputs(build, saved, sample) -> None:
    [built] = build(Job(saved(sample("layernorm_overflow")), "fp16", marks=("norm_pow", "fc2")))
    assert built.failure == ""
    assert set(built.outputs) >= {"logits", "norm_pow", "fc2"}


def test_knobs_of_the_family(build, saved, sample) -> None:
    model = saved(sample("layernorm_overflow"))
    switches = {
        "optimization_level": "0",
        "tf32": "off",
        "workspace": str(64 << 20),
        "tactic_sources": "-JIT_CONVOLUTIONS,-EDGE_MASK_CONVOLUTIONS",
        "preview_features": "ALIASED_PLUGIN_IO_10_03,-RUNTIME_ACTIVATION_RESIZE_10_10",
        "strict_nans": "on",
        "distributive_independence": "on",
    }
    refused = {
        "strong_typing": ("off", "only strongly typed"),
        "tactic_sources": ("CUBLAS", "no tactic source 'CUBLAS'"),
        "preview_features": ("PROFILE_SHARING_0806", "no preview feature 'PROFILE_SHARING_0806'"),
        "build_route": ("-conv_lowering=off", "does not take the build route '-conv_lowering=off'"),
    }
    bad = [Job(model, "fp16", knobs={name: value}) for name, (value, _) in refused.items()]
    single = [Job(model, "fp16", knobs={name: value}) for name, value in switches.items()]
    built = build(Job(model, "fp16", knobs=switches), *single, *bad)
    assert [b.failure for b in built[: 1 + len(single)]] == [""] * (1 + len(single))
    for failed, (_, says) in zip(built[1 + len(single) :], refused.values(), strict=True):
        assert says in failed.failure


def test_a_neutral_node_builds_in_every_type_and_is_not_dropped(build, saved, sample) -> None:
    """An Identity is: the engine does not grow. What the neutral node adds to it are kernels."""
    model = sample("layernorm_overflow")
    apart = keep_apart(model, ["fc3_relu"])
    with_identity = onnx.ModelProto()
    with_identity.CopyFrom(apart)
    for place in [i for i, n in enumerate(with_identity.graph.node) if "fc3_relu__" in n.name][::-1]:
        del with_identity.graph.node[place]
    where = next(i for i, n in enumerate(with_identity.graph.node) if n.output[0] == "fc3_relu__kept")
    with_identity.graph.node.insert(where + 1, node("Identity", ["fc3_relu__kept"], ["fc3_relu"], "same"))
    plain, same, *neutral = build(
        Job(saved(model)),
        Job(saved(with_identity)),
        Job(saved(apart)),
        Job(saved(apart), "fp16", force=True),
        Job(saved(apart), "bf16", force=True),
    )
    assert [b.failure for b in (plain, same, *neutral)] == [""] * 5
    assert abs(same.size - plain.size) < 1000
    assert neutral[0].size > 1.2 * plain.size
    assert set(neutral[1].types["fc3_relu__apart"]) == {"HALF"}


def test_if_and_loop_in_low_precision(build, saved) -> None:
    """Graphs of random operators with branches and loops, nodes in FP32 at random."""
    jobs = []
    for seed in range(6):
        graph = random_graph(seed, 12, loops=True)
        random = np.random.default_rng(seed)
        pins = {n.name: "fp32" for n in graph.graph.node if random.random() < 0.3}
        jobs.append(Job(saved(graph), "fp16", force=True, pins=pins))
    assert [b.failure for b in build(*jobs)] == [""] * 6


@pytest.mark.parametrize("seeds", [range(8), range(8, 16)], ids=str)
def test_real_op_mixes_with_pins(build, saved, seeds) -> None:
    """Convolutions, attention, norms, shape arithmetic, If, Loop, LSTM, Q/DQ: FP16 all over, FP32 in 3 of 10 nodes.

    Recurrent nodes stay in FP16: TensorRT-RTX 1.7 does not build one in FP32 that reads a transposed FP16 tensor.
    """
    mixes, jobs = [op_mix(seed) for seed in seeds], []
    for seed, mix in zip(seeds, mixes, strict=True):
        model, random = saved(mix.model), np.random.default_rng(seed)
        nodes = [n.name for n in mix.model.graph.node if n.op_type not in ("LSTM", "GRU", "RNN")]
        shapes = {name: list(array.shape) for name, array in mix.feeds.items()}
        pins: dict[str, Precision] = {n: "fp32" for n in nodes if random.random() < 0.3}
        jobs.append(Job(model, "fp16", force=True, pins=pins, shapes=shapes))
    for job, mix, built in zip(jobs, mixes, build(*jobs), strict=True):
        if mix.lacking is None:
            assert built.failure == ""
            assert {n for n in job.pins if "HALF" in built.types.get(n, ())} == set()
            assert sum("HALF" in types for types in built.types.values()) > 5
        else:
            assert mix.lacking in built.failure
            assert built.node in {n.name for n in mix.model.graph.node if n.op_type == mix.lacking}


def test_a_quantised_model_keeps_its_int8(build, saved) -> None:
    x, y = value("x", [4, 32]), value("y", [4, 16])
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["xq"], "quantize"),
        node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"], "dequantize"),
        node("DequantizeLinear", ["wq", "wscale", "wzero"], ["wd"], "weights", axis=1),
        node("MatMul", ["xd", "wd"], ["h"], "linear"),
        node("Relu", ["h"], ["y"], "relu"),
    ]
    random = np.random.default_rng(0)
    weights = [
        weight("scale", np.float32(0.05)),
        weight("zero", np.int8(0)),
        weight("wq", random.integers(-127, 128, (32, 16)).astype(np.int8)),
        weight("wscale", np.full(16, 0.01, np.float32)),
        weight("wzero", np.zeros(16, np.int8)),
    ]
    model = saved(model_of(nodes, [x], [y], weights))
    plain, low = build(Job(model), Job(model, "fp16", force=True))
    assert (plain.failure, low.failure) == ("", "")
    assert "INT8" in plain.types["quantize"]
    assert "INT8" in low.types["quantize"]
    assert "HALF" in low.types["linear"]


def test_dynamic_shapes_need_a_profile(build, saved) -> None:
    model = saved(
        model_of([node("Relu", ["x"], ["y"], "relu")], [value("x", ["n", 8])], [value("y", ["n", 8])], [])
    )
    without, fitting, absurd = build(
        Job(model), Job(model, shapes={"x": [3, 8]}), Job(model, shapes={"x": [-3, 8]})
    )
    assert "'x'" in without.failure
    assert "profile" in without.failure
    assert (fitting.failure, fitting.size > 0) == ("", True)
    assert absurd.failure.startswith("TensorRT takes no such profile: 'x' (-3, 8) to (-3, 8)")


def test_the_parser_blames_the_node(build, saved) -> None:
    nodes = [node("Relu", ["x"], ["r"], "fine"), node("Det", ["r"], ["y"], "culprit")]
    [built] = build(Job(saved(model_of(nodes, [value("x", [2, 2])], [value("y", [])], []))))
    assert built.node == "culprit"
    assert "culprit" in built.failure
    assert "Det" in built.failure
    assert "\n" not in built.failure


def test_every_complaint_of_the_parser_is_told(build, saved, model_path) -> None:
    [built] = build(Job(saved(onnx.load(model_path("polygraphy/capability.onnx")))))
    assert built.node == "Fake1"
    assert "'Fake1' (FAKE!)" in built.failure
    assert "'Fake2' (FAKE!)" in built.failure


def test_types_that_must_agree_are_refused_by_name(build, saved) -> None:
    """A strongly typed network casts nothing by itself: an ONNX model that mixes types is the user's error."""
    nodes = [
        node("Cast", ["x"], ["low"], "narrow", to=TensorProto.FLOAT16),
        node("Add", ["x", "low"], ["y"], "mixed"),
    ]
    [built] = build(Job(saved(model_of(nodes, [value("x", [2, 2])], [value("y", [2, 2])], []))))
    assert built.size == 0
    assert built.node == "mixed"


REAL = {
    "magika_standard_v3_3.onnx": {"bytes": [4, 2048]},
    "minilm_l6_v4096.onnx": {"input_ids": [2, 64], "attention_mask": [2, 64]},
    "silero_vad_16k_static.onnx": {},
}


@pytest.mark.parametrize("name", REAL)
def test_real_models(name, build, saved, model_path) -> None:
    model = saved(onnx.load(model_path(name)))
    low, plain = build(Job(model, "fp16", force=True, shapes=REAL[name]), Job(model, shapes=REAL[name]))
    assert (low.failure, plain.failure) == ("", "")
    assert low.size < plain.size
    halves = [n for n, types in low.types.items() if "HALF" in types]
    assert len(halves) > 0.5 * len([n for n, types in plain.types.items() if "FLOAT" in types])


FRAGILE = frozenset({"Pow", "ReduceMean", "ReduceSum", "Sqrt", "Softmax", "LayerNormalization", "Exp"})


@pytest.mark.parametrize("name", REAL)
def test_real_models_with_pins(name, build, saved, model_path) -> None:
    """Magika's culprits; of the others what people pin by habit."""
    source = onnx.load(model_path(name))
    model = saved(source)
    culprits = ("LayerNorm_1/Sum_1", "LayerNorm_1/truediv_1")
    wanted = [n for n in source.graph.node if n.op_type in FRAGILE]
    if name.startswith("magika"):
        wanted = [n for n in source.graph.node if n.name.endswith(culprits)]
    pins: dict[str, Precision] = {n.name: "fp32" for n in wanted}
    started = time.perf_counter()
    [built] = build(Job(model, "fp16", force=True, pins=pins, shapes=REAL[name]))
    print(f"{name}: {len(pins)} pins, {time.perf_counter() - started:.1f} s, the start of Python among them")
    assert built.failure == ""
    assert pins.keys() & built.types.keys()
    assert {n for n in pins if "HALF" in built.types.get(n, ())} == set()
    assert sum("HALF" in types for types in built.types.values()) > len(pins)


def test_an_internal_error_is_a_build_failure_in_tensorrts_words(build, saved, model_path) -> None:
    """TensorRT-RTX 1.7 trips over the nested Ifs of this model, whoever calls it."""
    shapes = {"input": [1, 576], "state": [2, 1, 128]}
    [built] = build(Job(saved(onnx.load(model_path("silero_vad_16k_op15.onnx"))), shapes=shapes))
    assert built.size == 0
    assert "Internal Error" in built.failure
    assert "\n" not in built.failure
