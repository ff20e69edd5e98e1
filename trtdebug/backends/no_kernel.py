"""What to do where onnxruntime knows an operator, and has no kernel of it for the node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtdebug.core.errors import BuildFailure
from trtdebug.graph.types import tensor_types

if TYPE_CHECKING:
    import onnx

_SAID = re.compile(r"Could not find an implementation for \S+ node with name '(.*)'")
_FIRST_OPSET = 7
"""onnxruntime has kernels from here on."""

_NARROW = (
    "It computes in {}, for which onnxruntime has few kernels: give the float32 model that this one was made from, and "
    "this one with --candidate-model where TensorRT is the candidate."
)
_WAYS = {
    "bfloat16": _NARROW.format("bfloat16"),
    "float16": _NARROW.format("float16"),
    "float64": "It computes in float64: export the model in float32, in which TensorRT computes it anyway.",
}
"""What to do by the type that onnxruntime has no kernel for."""


def with_remedy(failure: BuildFailure, model: onnx.ModelProto) -> BuildFailure:
    """The failure with the node that it is about, and with what to do where the opset or a narrow type is why."""
    said = _SAID.search(failure.message)
    if said is None:
        return failure
    node = next((n for n in model.graph.node if n.name == said[1]), None)
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), _FIRST_OPSET)
    remedy = failure.hint
    if opset < _FIRST_OPSET:
        remedy = (
            f"The model's opset is {opset}, and onnxruntime begins with {_FIRST_OPSET}: export it with a newer one, or "
            "use onnx.version_converter."
        )
    elif node is not None:
        remedy = next((way for dtype, way in _WAYS.items() if dtype in _types(node, model)), remedy)
    return BuildFailure(failure.message, remedy, failure.node or said[1], failure.errors)


def _types(node: onnx.NodeProto, model: onnx.ModelProto) -> set[str]:
    """Of what the node reads and writes, as far as anybody knows."""
    types = tensor_types(model)
    return {types[t].dtype for t in (*node.input, *node.output) if t in types}
