"""A model in another opset, by ONNX's own version converter."""

from __future__ import annotations

import onnx
from onnx import version_converter

from trtdebug.graph.types import forget_negative_sizes


def converted(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The converter's own result: it may replace nodes, and lose names.

    Raises:
        RuntimeError, onnx.version_converter.ConvertError: it does not know how.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    forget_negative_sizes(copy.graph)
    found: onnx.ModelProto = version_converter.convert_version(copy, opset)
    return found
