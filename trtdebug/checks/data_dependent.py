"""Operators whose output's size depends on values, which TensorRT only knows at run time."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.walk import all_nodes
from trtdebug.plugins.types import CheckContext

_INSTEAD = {
    "NonZero": "multiply by the mask or use Where, which keep the shape; TopK takes a fixed number",
    "NonMaxSuppression": "use TensorRT's EfficientNMS plugin, whose outputs have a fixed size",
    "Unique": "count with a fixed number of classes (OneHot and ReduceSum)",
    "Compress": "use Where, or Gather with a fixed number of indices",
}
"""Operators whose output size depends on data, and what keeps the shape fixed."""


def run(context: CheckContext) -> Iterator[Finding]:
    """`data-dependent-shape`, one for each kind of operator."""
    seen: set[str] = set()
    for holder, top in zip(context.index.nodes, context.model.graph.node, strict=True):
        for node in all_nodes([top]):
            if node.op_type not in _INSTEAD or node.domain not in ("", "ai.onnx") or node.op_type in seen:
                continue
            seen.add(node.op_type)
            count = sum(n.op_type == node.op_type for n in all_nodes(context.model.graph.node))
            more = f" (and {count - 1} more)" if count > 1 else ""
            yield Finding(
                "data-dependent-shape",
                "info",
                f"{holder.name!r}{more}: the size of what {node.op_type} writes depends on data. TensorRT plans for "
                "the largest, does not fuse across it, and not every layer takes it.",
                holder.name,
                f"If it does not build: {_INSTEAD[node.op_type]}.",
            )
