"""Two nodes or two tensors of one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.load import parse_model
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`duplicate-node-name` as the file has it, `duplicate-tensor` for tensors that are written twice."""
    # The loaded model has unique node names by now: only the file tells.
    names = Counter(node.name for node in parse_model(context.path).graph.node if node.name)
    for name, count in names.items():
        if count > 1:
            yield Finding(
                "duplicate-node-name",
                "info",
                f"{count} nodes are called {name!r}: the later ones are reported as {name}_1, {name}_2, ...",
                name,
                "Give nodes names of their own, so that messages of TensorRT are clear.",
            )
    writers: dict[str, list[str]] = {}
    for node in context.index.nodes:
        for tensor in node.writes:
            writers.setdefault(tensor, []).append(node.name)
    for tensor, nodes in writers.items():
        if len(nodes) > 1:
            yield _written_twice(tensor, f"{nodes[0]!r} and {nodes[1]!r}", nodes[1])
        elif tensor in context.index.initializers:
            yield _written_twice(tensor, f"an initialiser and {nodes[0]!r}", nodes[0])
        elif tensor in context.index.inputs:
            yield _written_twice(tensor, f"the graph's input and {nodes[0]!r}", nodes[0])


def _written_twice(tensor: str, who: str, node: str) -> Finding:
    return Finding(
        "duplicate-tensor", "error", f"Tensor {tensor!r} has two writers: {who}.", node, "Rename one of them."
    )
