"""INT64 values and FP64 tensors, which TensorRT narrows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.mapped import values_of
from trtdebug.graph.types import dtype_name, tensor_types
from trtdebug.plugins.types import CheckContext

_INT32 = np.iinfo(np.int32)


def run(context: CheckContext) -> Iterator[Finding]:
    """`int64-out-of-int32` for constants, `float64` once for the first such tensor."""
    for name, tensor in constant_tensors(context.model).items():
        readers = context.index.consumers.get(name, ())
        # Slice means "to the end" by the largest integer: clamping keeps the meaning.
        ops = {context.index.node(reader).op for reader in readers} - {"Slice"}
        if ops and dtype_name(tensor.data_type) == "int64":
            values = values_of(tensor)
            if values.size and (values.min() < _INT32.min or values.max() > _INT32.max):
                yield Finding(
                    "int64-out-of-int32",
                    "info",
                    f"Constant {name!r} of {readers[0]!r} is beyond INT32; TensorRT before 9 clamps it.",
                    readers[0],
                    "Where the exact number matters, make it fit INT32, or use TensorRT 10.",
                )
    types = tensor_types(context.model)
    for name in (*context.index.inputs, *context.index.tensors):
        if name in types and types[name].dtype == "float64":
            yield Finding(
                "float64",
                "info",
                f"Tensor {name!r} is float64; TensorRT computes it in float32.",
                context.index.producer.get(name, name),
                "Where FP64 matters nothing helps but the reference; else export in float32.",
            )
            return
