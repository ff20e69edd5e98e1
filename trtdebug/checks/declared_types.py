"""Tensors declared of another type than their operator writes."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.types import infer, value_type, without_weights
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`wrong-declared-type` for outputs and intermediate tensors; onnxruntime refuses such a model."""
    undeclared = without_weights(context.model)
    del undeclared.graph.output[:]
    del undeclared.graph.value_info[:]
    inferred = {value.name: value_type(value) for value in infer(undeclared).graph.value_info}
    graph = context.model.graph
    for value in (*graph.output, *graph.value_info):
        declared, right = value_type(value), inferred.get(value.name)
        producer = context.index.producer.get(value.name)
        if declared and right and producer and declared.dtype != right.dtype:
            node = context.index.node(producer)
            yield Finding(
                "wrong-declared-type",
                "error",
                f"{value.name!r} is declared {declared.dtype}, but {node.name!r} ({node.op}) writes "
                f"{right.dtype}.",
                node.name,
                f"Declare it {right.dtype}, or put a Cast to {declared.dtype} after the node.",
            )
