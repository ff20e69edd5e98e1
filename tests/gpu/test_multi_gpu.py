"""On several GPUs: a worker on each, and the same answer as on one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import trtdebug

from trtdebug.backends.tensorrt.device import device_count
from trtdebug.graph.load import save_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "gpu"))
import multi_gpu

GPUS = device_count()
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(GPUS < 2, reason=f"needs 2 GPUs or more; there are {GPUS}"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A network with four planted overflows, inputs.npz beside it; and their names."""
    folder = tmp_path_factory.mktemp("model")
    network, planted = multi_gpu.network(blocks=6, culprits=4, width=16, size=16, fault="conv")
    save_model(network, folder / "model.onnx")
    image = np.random.default_rng(1).standard_normal((1, 3, 16, 16)).astype(np.float32)
    np.savez(folder / "inputs.npz", image=image)
    return folder / "model.onnx", planted


def test_the_search_answers_on_all_gpus_as_on_one(model: tuple[Path, set[str]]) -> None:
    path, planted = model
    inputs = path.with_name("inputs.npz")
    one, every = (multi_gpu.measure(path, inputs, "tensorrt", n, seed=0) for n in (1, GPUS))
    print(f"\n1 GPU: {one}\n{GPUS} GPUs: {every}")
    assert (one.culprits, one.pins) == (every.culprits, every.pins)
    assert planted <= {n for culprit in every.culprits for n in culprit}
    assert all(culprit & planted for culprit in every.culprits)  # with its ReLU where they are one layer
    assert every.rounds < one.rounds
    assert all(every.busy)


def test_the_command_says_the_same_on_all_gpus_as_on_one(
    model: tuple[Path, set[str]], tmp_path: Path
) -> None:
    path, planted = model
    one, every = (_fixed(path, tmp_path, gpus) for gpus in ("0", "all"))
    assert _named(one) == _named(every) == planted
    assert one["verdict"] == every["verdict"]
    assert one["fixes"][-1]["verified"]
    assert every["fixes"][-1]["verified"]
    assert one["fixes"][-1]["interventions"] == every["fixes"][-1]["interventions"]


def test_a_gpu_that_does_not_exist(model: tuple[Path, set[str]]) -> None:
    done = trtdebug("bisect", model[0], "--fp16", "--gpus", GPUS)
    assert done.code == 2
    assert f"there is no GPU {GPUS}: CUDA sees GPUs 0 to {GPUS - 1} here" in done.stderr


def test_several_workers_on_one_gpu_are_refused(model: tuple[Path, set[str]]) -> None:
    done = trtdebug("bisect", model[0], "--fp16", "--candidate", "tensorrt", "--workers", "2")
    assert done.code == 2
    assert "--gpus" in done.stderr


def _fixed(model: Path, folder: Path, gpus: str) -> dict[str, Any]:
    words = ("--fp16", "--candidate", "tensorrt", "--inputs", model.with_name("inputs.npz"), "--gpus", gpus)
    done = trtdebug("fix", model, *words, "--session", folder / gpus, "--json", "--quiet")
    assert done.code == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _named(report: dict[str, Any]) -> set[str]:
    return {n for culprit in report["culprits"] for n in culprit["nodes"]}
