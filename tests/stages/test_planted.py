"""The pipeline names exactly the planted nodes, whatever the graph."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from planted_graphs import BrokenKernels, Planted, planted_graph

from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.preflight import CaseRequest, prepare, store_samples

CASES = [
    (seed, size, plants)
    for seed, (size, plants) in enumerate(itertools.product([20, 40, 80, 150, 300] * 14, [1, 2, 3]))
]


class _Registers:
    def __init__(self, backend: BrokenKernels) -> None:
        self.backend = backend

    @hookimpl
    def trtdebug_backends(self) -> list[BrokenKernels]:
        return [self.backend]


def diagnose(planted: Planted, folder: Path) -> Diagnosis:
    model = folder / "model.onnx"
    save_model(planted.model, model)
    np.savez(folder / "inputs.npz", x=np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32))
    plugins = PluginManager.load(
        builtins=[*BUILTINS, _Registers(BrokenKernels(planted.wrong))], third_party=False
    )
    request = CaseRequest(
        model, BuildOptions("fp16"), candidate="broken-kernels", inputs=folder / "inputs.npz", builds=1
    )
    prepared = prepare(request, plugins)
    session = Session(folder / "session", InProcess(folder / "session", plugins.backends()))
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    return Debugger(Context(session, prepared.case, plugins), until="fix").run()


@pytest.mark.parametrize("batch", range(0, len(CASES), 10))
def test_exactly_the_planted_nodes_are_named(batch: int, tmp_path: Path) -> None:
    for seed, size, plants in CASES[batch : batch + 10]:
        planted = planted_graph(seed, size, plants)
        folder = tmp_path / str(seed)
        folder.mkdir()
        diagnosis = diagnose(planted, folder)
        named = frozenset(n for c in diagnosis.culprits for n in c.nodes)
        assert diagnosis.verdict == "diverges", (seed, size, plants)
        assert named == planted.culprits, (seed, size, plants)
        assert all(c.proven and len(c.nodes) == 1 for c in diagnosis.culprits)
        assert diagnosis.fixes[-1].verified
        trials = diagnosis.trials.total
        print(f"seed {seed}: {len(planted.model.graph.node)} nodes, {len(named)} culprits, {trials} trials")
