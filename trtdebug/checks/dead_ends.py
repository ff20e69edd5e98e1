"""Outputs that nothing writes, inputs that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`no-output`, `output-without-producer`, `missing-tensor` for reads of what nothing writes, `dead-input`."""
    index = context.index
    if not index.outputs:
        yield Finding(
            "no-output",
            "error",
            "The graph has no outputs: nothing of it can be compared.",
            None,
            "Export it with the outputs that matter.",
        )
    known = set(index.producer) | set(index.inputs) | index.initializers
    for name in index.outputs:
        if name not in known:
            yield Finding(
                "output-without-producer",
                "error",
                f"Output {name!r} is written by no node.",
                name,
                "Remove it from the graph's outputs.",
            )
    for node in index.nodes:
        for tensor in node.reads:
            if tensor not in known:
                yield Finding(
                    "missing-tensor",
                    "error",
                    f"{node.name!r} reads {tensor!r}, which no node writes and which is no input.",
                    node.name,
                    "Export the model again.",
                )
    for name in index.inputs:
        if name not in index.consumers and name not in index.outputs:
            yield Finding(
                "dead-input",
                "warning",
                f"Input {name!r} is read by no node.",
                name,
                "TensorRT may refuse it or drop it: remove it from the graph's inputs.",
            )
