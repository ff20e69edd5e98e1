"""Gives inputs of a model fixed shapes."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from trtdebug.graph.inputs import input_shapes, input_types


def freeze_shapes(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Gives inputs these shapes, in place; a line for each that had another. `UserError`: a shape does not fit."""
    input_shapes(model, shapes)  # refuses what does not fit
    types = input_types(model)
    changes = []
    for value in model.graph.input:
        if value.name in shapes and types[value.name].shape != tuple(shapes[value.name]):
            value.type.tensor_type.shape.Clear()
            for size in shapes[value.name]:
                value.type.tensor_type.shape.dim.add(dim_value=size)
            changes.append(f"input {value.name!r} frozen to {list(shapes[value.name])}")
    if changes:
        # Shapes written down for the dynamic model say less than what is inferred from the frozen one.
        del model.graph.value_info[:]
        for value in model.graph.output:
            if value.type.WhichOneof("value") == "tensor_type":
                value.type.tensor_type.ClearField("shape")
    return changes
