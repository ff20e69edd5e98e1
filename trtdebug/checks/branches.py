"""If nodes whose branches do not give the same kind of tensor."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from trtdebug.core.finding import Finding
from trtdebug.graph.index import Node
from trtdebug.graph.types import TensorType, dtype_name, graph_types, infer
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`if-branch-types`: other element types (error), or another number of dimensions (warning)."""
    # By outputs: names may be shared.
    inferred = {tuple(n.output): n for n in infer(context.model).graph.node}
    for named, node in zip(context.index.nodes, context.model.graph.node, strict=True):
        if node.op_type != "If" or node.domain not in ("", "ai.onnx"):
            continue
        branches = {
            a.name: a.g
            for a in inferred.get(tuple(node.output), node).attribute
            if a.name.endswith("_branch")
        }
        if len(branches) == 2:
            yield from _differences(named, branches["then_branch"], branches["else_branch"])


def _differences(node: Node, then: onnx.GraphProto, other: onnx.GraphProto) -> Iterator[Finding]:
    for output, a, b in zip(node.outputs, then.output, other.output, strict=False):
        one, two = _type(then, a.name), _type(other, b.name)
        if one is None or two is None:
            continue
        if one.dtype != two.dtype:
            yield Finding(
                "if-branch-types",
                "error",
                f"The branches of {node.name!r} (If) give {output!r} as {one.dtype} and as {two.dtype}.",
                node.name,
                f"Put a Cast to {one.dtype} at the end of the branch that gives {two.dtype}.",
            )
        elif one.shape is not None and two.shape is not None and len(one.shape) != len(two.shape):
            yield Finding(
                "if-branch-types",
                "warning",
                f"The branches of {node.name!r} (If) give {output!r} with {len(one.shape)} and with "
                f"{len(two.shape)} dimensions; TensorRT wants the same number.",
                node.name,
                "Put an Unsqueeze or a Squeeze at the end of one of the branches.",
            )


def _type(branch: onnx.GraphProto, tensor: str) -> TensorType | None:
    """As the branch declares it, else as its last node makes it (Cast and Constant say their type themselves)."""
    declared = graph_types(branch).get(tensor)
    if declared is not None:
        return declared
    maker = next((n for n in branch.node if tensor in n.output), None)
    if maker is None:
        return None
    to = next((a for a in maker.attribute if a.name == "to"), None)
    if maker.op_type == "Cast" and to is not None:
        return TensorType(dtype_name(to.i), None)
    value = next((a for a in maker.attribute if a.name == "value"), None)
    if maker.op_type == "Constant" and value is not None:
        return TensorType(dtype_name(value.t.data_type), tuple(value.t.dims))
    return None
