"""A model whose large weights stay in their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from seed_models import model_of, node, value, weight

from trtdebug.graph import load

TABLE = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
TABLE[0, :3] = 1e-6, 0, np.inf
STEPS = np.arange(3, dtype=np.int64)


def mapped_model(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """y = x @ table + table, the table in a folder of its own; from now on every model counts as large."""
    patch.setattr(load, "MAPPED_ABOVE", 0)
    model = model_of(
        [node("MatMul", ["x", "table"], ["m"], "mul"), node("Add", ["m", "table"], ["y"], "add")],
        [value("x", [64, 64])],
        [value("y", [64, 64])],
        [weight("table", TABLE), weight("steps", STEPS)],
    )
    path = folder / "model.onnx"
    (folder / "tables").mkdir()
    onnx.save(model, path, save_as_external_data=True, location="tables/t.bin", size_threshold=0)
    return path
