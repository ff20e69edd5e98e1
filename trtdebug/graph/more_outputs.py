"""A model with more of its tensors as outputs."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from trtdebug.graph.types import tensor_types, value_info


def with_outputs(model: onnx.ModelProto, tensors: Iterable[str]) -> onnx.ModelProto:
    """A copy that also puts out these tensors of its top-level graph, after its own outputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    own, types = {value.name for value in model.graph.output}, tensor_types(model)
    copy.graph.output.extend(value_info(t, types.get(t)) for t in tensors if t not in own)
    return copy
