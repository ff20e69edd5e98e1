"""Every kind of shape and type, through a whole job: stored, built, run, compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from shape_cases import SHAPE_CASES, ShapeCase, recorded

from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.graph.inputs import check_sample
from trtdebug.session.job import TensorRef
from trtdebug.session.perform import perform
from trtdebug.session.tensors import TensorStore


def values(folder: Path, case: ShapeCase, name: str) -> list[np.ndarray]:
    store = TensorStore(folder / "tensors")
    return [np.asarray(store.get(f"s{n}", TensorRef(name))) for n in range(len(case.samples))]


@pytest.mark.parametrize("name", SHAPE_CASES)
def test_a_job_copes_with(name: str, tmp_path: Path) -> None:
    case = SHAPE_CASES[name]()
    onnx.checker.check_model(case.model, full_check=True)
    for sample in case.samples:
        check_sample(case.model, sample, case.profiles)
    path = recorded(case, tmp_path)
    outcome = perform(case.job(path), OnnxruntimeBackend(), tmp_path)
    assert outcome.status == "pass", outcome.reason
    assert {e.tensor for e in outcome.tensors} == set(case.outputs)
    shapes = {o: [v.shape for v in values(tmp_path, case, o)] for o in case.outputs}
    assert shapes.items() >= EXPECTED.get(name, {}).items()


EXPECTED: Mapping[str, dict[str, list[tuple[int, ...]]]] = {
    "outputs of a size that the data decides": {"y": [(2, 3), (2, 0), (2, 6)]},
    "boxes that are left over": {"kept": [(3, 3), (1, 3), (0, 3)]},
    "a k that is computed": {"values": [(2, 3), (2, 4), (2, 2)]},
    "an input that holds a shape of open length": {"y": [(2, 6), (4, 3)]},
    "an empty batch among others": {"y": [(4, 4), (0, 4), (7, 4)]},
    "scalars": {"y": [(), ()]},
}
