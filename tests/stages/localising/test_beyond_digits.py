"""Beside nodes that only round, what fails by more than lost digits is looked for, and told where it is not found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import diagnose, finding
from contexts import of_request, plugins_with
from pair_fault import PairFault
from rounding_stacks import WIDTH, stack

from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.graph.load import save_model
from trtdebug.stages.opening.preflight import CaseRequest

FIRST, SECOND = "matmul3", "tanh3"
LIMITS = [1e-5, 6e-4]
"""Each node breaks it by itself; only all together do."""


def answer(folder: Path, limit: float, factor: float) -> Diagnosis:
    backend = PairFault(FIRST, SECOND, factor)
    x = np.random.default_rng(1).standard_normal((8, WIDTH)).astype(np.float32)
    np.savez(folder / "x.npz", x=x)
    save_model(stack(8), folder / "model.onnx")
    request = CaseRequest(
        folder / "model.onnx",
        BuildOptions("fp16"),
        Tolerance(rms_rel=limit),
        candidate=backend.name,
        inputs=folder / "x.npz",
    )
    return diagnose(of_request(request, folder / "session", plugins_with(backend)))


@pytest.mark.parametrize("factor", [1.2, float("nan")])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_pair_of_nodes_that_round_is_at_fault_together(limit: float, factor: float, tmp_path: Path) -> None:
    diagnosis = answer(tmp_path, limit, factor)
    assert [(c.nodes, c.proven) for c in diagnosis.culprits] == [((FIRST, SECOND), True)]
    assert "without any one of them it does not" in diagnosis.culprits[0].evidence
    assert finding(diagnosis, "only-rounding")
    assert not any("by more than the digits" in line for line in diagnosis.unknown)


@pytest.mark.parametrize("limit", LIMITS)
def test_where_there_is_none_nobody_is_named(limit: float, tmp_path: Path) -> None:
    diagnosis = answer(tmp_path, limit, 1.0)
    assert diagnosis.culprits == ()
    assert not any("by more than the digits" in line for line in diagnosis.unknown)
