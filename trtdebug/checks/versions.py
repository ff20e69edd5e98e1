"""IR version and opset against what the installed onnxruntime takes."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.limits import onnxruntime_limits
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`ir-version` and `opset-version` where the model is newer than onnxruntime."""
    limits = onnxruntime_limits()
    if limits is None:
        return
    if context.model.ir_version > limits.ir:
        yield Finding(
            "ir-version",
            "error",
            f"The model has IR version {context.model.ir_version}; onnxruntime {limits.version} takes at "
            f"most {limits.ir}.",
            mitigation=f"Save it with model.ir_version = {limits.ir}, or install a newer onnxruntime.",
        )
    for opset in context.model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > limits.opset:
            yield Finding(
                "opset-version",
                "error",
                f"The model uses opset {opset.version}; onnxruntime {limits.version} takes at most "
                f"{limits.opset}.",
                mitigation=f"Export it with opset {limits.opset}, or install a newer onnxruntime.",
            )
