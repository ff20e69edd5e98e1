"""Tensors declared of another type or shape than their operator writes."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.shapes import shape_text
from trtdebug.graph.types import Dim, infer, value_type, without_weights
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`wrong-declared-type` for outputs and intermediate tensors; onnxruntime refuses such a model.

    `wrong-declared-shape` where only known sizes differ; it runs, in the shape that the operator writes. Old exporters
    declare no dimension where they know none.
    """
    undeclared = without_weights(context.model)
    del undeclared.graph.output[:]
    del undeclared.graph.value_info[:]
    inferred = {value.name: value_type(value) for value in infer(undeclared).graph.value_info}
    graph = context.model.graph
    for value in (*graph.output, *graph.value_info):
        declared, right = value_type(value), inferred.get(value.name)
        producer = context.index.producer.get(value.name)
        if not (declared and right and producer):
            continue
        node = context.index.node(producer)
        if declared.dtype != right.dtype:
            yield Finding(
                "wrong-declared-type",
                "error",
                f"{value.name!r} is declared {declared.dtype}, but {node.name!r} ({node.op}) writes "
                f"{right.dtype}.",
                node.name,
                f"Declare it {right.dtype}, or put a Cast to {declared.dtype} after the node.",
            )
        elif declared.shape and right.shape is not None and _differ(declared.shape, right.shape):
            yield Finding(
                "wrong-declared-shape",
                "warning",
                f"{value.name!r} is declared {shape_text(declared.shape)}, but {node.name!r} ({node.op}) writes "
                f"{shape_text(right.shape)}.",
                node.name,
                "Export it again, with the sizes that vary as dynamic axes: who believes the declaration goes wrong.",
            )


def _differ(declared: tuple[Dim, ...], right: tuple[Dim, ...]) -> bool:
    """Whether two shapes have not as many dimensions, or other sizes where both are known."""
    return len(declared) != len(right) or any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(declared, right, strict=True)
    )
