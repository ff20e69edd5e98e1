"""Inputs of which not even the number of dimensions is known."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.types import graph_types
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`missing-shape` for each such input."""
    types = graph_types(context.model.graph)
    for name in context.index.inputs:
        if name not in types or types[name].shape is None:
            yield Finding(
                "missing-shape",
                "warning",
                f"Input {name!r} is declared without a shape; TensorRT has to know its number of dimensions.",
                name,
                "Declare it; dimensions that vary may be named instead of counted.",
            )
