"""IR version and opset against what the installed onnxruntime takes."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.limits import too_new
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`ir-version` and `opset-version` where the model is newer than onnxruntime."""
    for found in too_new(context.model):
        yield Finding(found.rule, "error", found.message, mitigation=found.remedy)
