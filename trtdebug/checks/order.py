"""Nodes that stand before what they read."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`unsorted-nodes`, once, for the first node that reads a tensor written further below."""
    index = context.index
    seen: set[str] = set()
    for node in index.nodes:
        for tensor in node.reads:
            writer = index.producer.get(tensor)
            if writer is not None and writer not in seen:
                yield Finding(
                    "unsorted-nodes",
                    "warning",
                    f"The nodes are not in topological order: {node.name!r} reads {tensor!r}, which "
                    f"{writer!r} writes further below.",
                    node.name,
                    "TensorRT's parser may refuse it; sort the nodes (polygraphy surgeon sanitize).",
                )
                return
        seen.add(node.name)
