"""Runs a model on onnxruntime as it stands: no graph optimisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
import onnxruntime


def run(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], tensors: Iterable[str] = ()
) -> dict[str, np.ndarray]:
    """The graph's outputs, and the tensors asked for."""
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    have = {value.name for value in marked.graph.output}
    marked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in have)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        marked.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, dict(feeds))
    # onnxruntime 1.23, the last for Python 3.10: an output that is an input is the feed's memory, and does not hold it.
    kept = [value.copy() if isinstance(value, np.ndarray) else value for value in found]
    return dict(zip([output.name for output in session.get_outputs()], kept, strict=True))
