"""The pipeline names exactly the planted nodes, whatever the graph."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from contexts import context, plugins_with
from planted_graphs import BrokenKernels, Planted, planted_graph

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger

SIZES = ([20, 40, 80] * 11 + [150, 300]) * 2
CASES = [(seed, size, plants) for seed, (size, plants) in enumerate(itertools.product(SIZES, [1, 2, 3]))]


def diagnose(planted: Planted, folder: Path) -> Diagnosis:
    plugins = plugins_with(BrokenKernels(planted.wrong))
    x = np.random.default_rng(1).standard_normal((4, 16))
    return Debugger(context(folder, planted.model, "broken-kernels", plugins, x=x), until="fix").run()


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
