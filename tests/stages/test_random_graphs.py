"""Random graphs of real op mixes, without a GPU: what they are, and what FP16 and pins do to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import open_case
from mix_trials import MixTrials, error
from op_mix_graphs import SEEDS, op_mix
from ort import run

from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.debugger import Debugger
from trtdebug.session.executor import InProcess

PRESENT = {
    *(
        "Conv",
        "BatchNormalization",
        "Relu",
        "MaxPool",
        "AveragePool",
        "Resize",
        "Pad",
        "InstanceNormalization",
    ),
    *("MatMul", "Gemm", "Softmax", "LayerNormalization", "Erf", "Sigmoid", "Pow", "Sqrt", "Clip", "Tanh"),
    *("Gather", "GatherElements", "Slice", "Concat", "Split", "Transpose", "Reshape", "Shape", "Unsqueeze"),
    *("Where", "Expand", "ConstantOfShape", "Range", "Cast", "ReduceMean", "ReduceSum", "ReduceMax"),
    *("If", "Loop", "LSTM", "GRU", "TopK", "ArgMax", "QuantizeLinear", "DequantizeLinear", "Constant"),
}


def test_the_graphs_are_what_they_claim_to_be() -> None:
    ops: Counter[str] = Counter()
    for seed in SEEDS:
        mix = op_mix(seed)
        assert mix.model.SerializeToString() == op_mix(seed).model.SerializeToString()
        onnx.checker.check_model(mix.model, full_check=True)
        assert 20 <= len(mix.model.graph.node) <= 150
        written = [t for n in mix.model.graph.node for t in n.output]
        for name, value in run(mix.model, mix.feeds, written).items():
            assert value.dtype.kind != "f" or np.isfinite(value).all(), (seed, name)
        ops.update(n.op_type for n in mix.model.graph.node)
    assert set(ops) >= PRESENT
    assert min(ops["If"], ops["Loop"], ops["LSTM"] + ops["GRU"]) >= 10


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> MixTrials:
    folder = tmp_path_factory.mktemp("mixes")
    return MixTrials(folder, "emulator", InProcess(folder, {"emulator": EmulatorBackend()}))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_graph_works_in_fp16_and_better_with_pins(seed: int, trials: MixTrials) -> None:
    low = trials.forced(seed)
    assert low.status == "pass", low.reason
    assert low.engine is not None
    assert low.engine.unverified == ()
    assert not [note for note in low.engine.notes if "could not" in note]
    half = trials.forced(seed, pins=trials.half(seed))
    assert half.status == "pass", half.reason
    assert 0 < error(half) <= max(1.5 * error(low), 6e-3)


def test_with_all_nodes_pinned_it_is_the_reference(trials: MixTrials) -> None:
    for seed in SEEDS[::16]:
        names = tuple(n.name for n in trials.model(seed).graph.node)
        assert error(trials.forced(seed, pins=names)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3, 22, 53])
def test_the_pipeline_finds_nothing_in_them(seed: int, tmp_path: Path) -> None:
    mix = op_mix(seed)
    np.savez(tmp_path / "inputs.npz", **mix.feeds)
    ctx = open_case(mix.model, tmp_path, "fp16", inputs=tmp_path / "inputs.npz", candidate="emulator")
    diagnosis = Debugger(ctx, until="sanity").run()
    assert diagnosis.verdict == "matches", diagnosis.reason
