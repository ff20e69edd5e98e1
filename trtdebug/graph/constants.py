"""Tensors whose values stand in the model: initialisers and Constant nodes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper


def constant_tensors(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Tensor of each dense initialiser and each top-level Constant node of numbers, by tensor name.

    An initialiser that is a graph input too counts: it is a default that nobody overrides here. The tensor of
    a Constant node need not carry the name that it has in the graph.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            value = constant_value(node)
            if value is not None:
                tensors[node.output[0]] = value
    return tensors


def renamed(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    """A copy of the tensor under this name."""
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def constant_value(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """Tensor of a Constant node of numbers, however it is written; None for a sparse one, and for text."""
    for attribute in node.attribute:
        if attribute.name == "value":
            tensor: onnx.TensorProto = attribute.t
            return tensor
        if attribute.name == "value_float":
            return numpy_helper.from_array(np.array(attribute.f, np.float32))
        if attribute.name == "value_floats":
            return numpy_helper.from_array(np.array(attribute.floats, np.float32))
        if attribute.name == "value_int":
            return numpy_helper.from_array(np.array(attribute.i, np.int64))
        if attribute.name == "value_ints":
            return numpy_helper.from_array(np.array(attribute.ints, np.int64))
    return None
