"""A model whose batch is -1."""

from __future__ import annotations

import numpy as np
import onnx
from seed_models import model_of, node, value, weight


def sliced_batch(opset: int = 11) -> onnx.ModelProto:
    """Takes the first row and column of an input [-1, 3]."""
    bounds = [weight("start", np.int64([0, 0])), weight("end", np.int64([1, 1]))]
    slices = node("Slice", ["x", "start", "end"], ["y"], "slice")
    return model_of([slices], [value("x", [-1, 3])], [value("y", None)], bounds, opset=opset)
