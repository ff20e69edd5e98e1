"""Cast surgery on whole models: real ones, random graphs, and mixes of all operators."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowcasting import assert_types, float_types, run, types_of
from onnx.reference import ReferenceEvaluator
from op_mix_graphs import SEEDS, op_mix
from random_graphs import random_graph

from trtdebug.graph.load import load_model
from trtdebug.graph.lowcast import lowerable, mixed_precision
from trtdebug.graph.names import name_nodes
from trtdebug.graph.rounding import rounded
from trtdebug.graph.types import tensor_types

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
OVERFLOWING = ("pow", "var", "eps", "sqrt")
REAL = {  # model -> largest error of FP16 weights and activations, of max |reference|
    "minilm_l6_v4096.onnx": 7e-3,
    "silero_vad_16k_static.onnx": 2e-2,
    "magika_standard_v3_3.onnx": 1e-2,
    "polygraphy/residual_block.onnx": 1e-2,
}
CULPRITS = tuple(f"{norm}_{part}" for norm in ("b3_ln1", "b3_ln2", "lnf") for part in OVERFLOWING)
FRAGILE = frozenset(
    {"Pow", "ReduceMean", "ReduceSum", "Sqrt", "Softmax", "LayerNormalization", "Exp", "LSTM"}
)
PINNED: dict[str, Callable[[onnx.NodeProto], bool]] = {
    "attention": lambda node: node.name in CULPRITS,
    "magika_standard_v3_3.onnx": lambda node: node.name.endswith(
        ("LayerNorm_1/Sum_1", "LayerNorm_1/truediv_1")
    ),
    "minilm_l6_v4096.onnx": lambda node: node.op_type in FRAGILE,
    "silero_vad_16k_static.onnx": lambda node: node.op_type in FRAGILE,
}
"""The pins of a diagnosis, or what people pin by habit."""


def random_feeds(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    feeds = {}
    weights = {w.name for w in model.graph.initializer}
    for value in model.graph.input:
        if value.name in weights:
            continue
        kind = tensor_types(model)[value.name]
        shape = [d if isinstance(d, int) and d > 0 else 4 for d in kind.shape or ()]
        if kind.dtype.startswith("int"):
            high = 2 if "mask" in value.name or "type" in value.name else 100
            feeds[value.name] = rng.integers(1, high, shape).astype(kind.dtype)
        else:
            feeds[value.name] = rng.random(shape).astype(kind.dtype)
    return feeds


@pytest.mark.parametrize("name", REAL)
def test_real_models_run_in_float16_within_rounding(name: str, model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path(name))
    low = mixed_precision(model, [n.name for n in model.graph.node], "fp16")
    # residual_block declares its output as a scalar: its own shapes do not check.
    onnx.checker.check_model(low, full_check=name != "polygraphy/residual_block.onnx")
    lowered = lowerable(model, [n.name for n in model.graph.node], "fp16")
    kinds = types_of(low)
    by_name = {n.name: n for n in low.graph.node}
    source = types_of(model)
    for node in model.graph.node:
        if node.name in lowered and source[node.output[0]] == "float32":
            assert kinds[by_name[node.name].output[0]] == "float16", node.name
    feeds = random_feeds(model)
    reference = run(model, feeds)
    found = run(low, feeds)
    for output, expected in reference.items():
        assert found[output].dtype == expected.dtype
        assert np.abs(found[output] - expected).max() <= REAL[name] * np.abs(expected).max()
        assert np.abs(found[output] - expected).max() > 0  # it did compute in another precision


@pytest.mark.parametrize("name", PINNED)
def test_real_models_with_pins_compute_in_the_types_asked_for(
    name: str, model_path: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in REAL:
        model = load_model(model_path(name))
    else:
        monkeypatch.syspath_prepend(str(SAMPLES))
        model = importlib.import_module(name).build()
        name_nodes(model)
    pins = {n.name for n in model.graph.node if PINNED[name](n)}
    wanted = {n.name for n in model.graph.node} - pins
    low = mixed_precision(model, wanted, "fp16")
    onnx.checker.check_model(low, full_check=True)
    chosen = lowerable(model, wanted, "fp16")
    assert_types(model, low, chosen, "float16")
    types = types_of(model)
    floats = {n.name for n in model.graph.node if float_types(n, types) and n.op_type != "Constant"}
    assert len(chosen) > 0.8 * len(floats - pins)
    feeds = random_feeds(model)
    reference, found = run(model, feeds), run(low, feeds)
    for output, expected in reference.items():
        assert found[output].dtype == expected.dtype
        assert np.abs(found[output] - expected).max() <= REAL.get(name, 1e-2) * np.abs(expected).max()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 25),
    share=st.sampled_from([0.3, 0.7, 1.0]),
    dtype=st.sampled_from(["fp16", "bf16"]),
)
def test_the_numbers_are_those_of_the_emulator_to_the_bit(seed: int, size: int, share: float, dtype) -> None:
    """Elementwise nodes round alike, whether their types are low or their values rounded; overflow included."""
    model = random_graph(seed, size, loops=True)
    name_nodes(model)
    random = np.random.default_rng(seed)
    wanted = {n.name for n in model.graph.node if random.random() < share}
    low = mixed_precision(model, wanted, dtype)
    onnx.checker.check_model(low, full_check=True)
    emulated = rounded(model, lowerable(model, wanted, dtype), dtype)
    assert not emulated.left_out
    feeds = {
        name: random.normal(0, scale, (4, 4)).astype(np.float32) for name, scale in (("x", 100), ("y", 10))
    }
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(low).run(None, feeds)
        expected = ReferenceEvaluator(emulated.model).run(None, feeds)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_op_mixes_with_random_pins_compute_in_the_types_asked_for(seed: int) -> None:
    mix = op_mix(seed)
    model = mix.model
    name_nodes(model)
    random = np.random.default_rng(seed)
    wanted = {n.name for n in model.graph.node if random.random() < (0.5, 1.0)[seed % 2]}
    chosen = lowerable(model, wanted, "fp16")
    low = mixed_precision(model, wanted, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert_types(model, low, chosen, "float16")
    reference, found = run(model, mix.feeds), run(low, mix.feeds)
    emulated = run(rounded(model, chosen, "fp16").model, mix.feeds)
    # One INT8 step more or less, or a determinant near 0, is worth more than the roundings before it.
    tolerance = 2e-2 if mix.quantised or mix.lacking else 3e-3
    for name, expected in reference.items():
        assert found[name].dtype == expected.dtype
        scale = np.linalg.norm(expected)
        assert np.linalg.norm(found[name] - expected) <= tolerance * scale
        assert np.linalg.norm(found[name] - emulated[name]) <= tolerance * scale


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_op_mixes_in_bfloat16_are_valid(seed: int) -> None:
    model = op_mix(seed).model
    name_nodes(model)
    names = [n.name for n in model.graph.node]
    low = mixed_precision(model, names, "bf16")
    onnx.checker.check_model(low, full_check=True)
    assert_types(model, low, lowerable(model, names, "bf16"), "bfloat16")
