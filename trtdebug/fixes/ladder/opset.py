"""The model in another opset, where the refused operators are written otherwise.

By ONNX's own version converter. Its result is proposed where ONNX's checker finds it clean.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import defs, version_converter

from trtdebug.fixes.ladder.culprits import Refused, refused
from trtdebug.graph.converted import converted
from trtdebug.graph.expand import Call, calls_of
from trtdebug.graph.names import name_nodes
from trtdebug.graph.opsets import means_the_same
from trtdebug.plugins.rewrites import proposal
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

COST = 2.0
_TARGETS = (17, 13, 20)
"""What TensorRT 8.6 takes, what older models are at or below, and what newer releases take; in this order."""
_MOST_BYTES = 1 << 30
"""The converter copies the model as bytes, of which there can be 2 GB."""


def convert(context: FixContext) -> Iterator[FixProposal]:
    """The model in each of these opsets where every refused operator is written otherwise."""
    found = refused(context)
    if found is None or found.is_inlined or context.model.functions or context.model.ByteSize() > _MOST_BYTES:
        return
    for target in _TARGETS:
        if _is_other_form(found, target):
            other = _clean(context.model, target)
            if other is not None:
                told = f"converted to opset {target}"
                yield from proposal(context, told, other, COST + _TARGETS.index(target) / 10)


def _is_other_form(found: Refused, target: int) -> bool:
    calls = [call for call in calls_of(found.model) if found.needs(call)]
    return bool(calls) and all(_changes(call, target) for call in calls)


def _changes(call: Call, target: int) -> bool:
    """Whether this operator of ONNX's own is written otherwise in that opset."""
    own = call.node.domain in ("", "ai.onnx") and defs.has(call.node.op_type)
    return own and not means_the_same(call.node, call.opset, target)


def _clean(model: onnx.ModelProto, target: int) -> onnx.ModelProto | None:
    """The model in this opset, of the same ir_version; None where it cannot be converted, or is not clean."""
    try:
        other = converted(model, target)
    except (RuntimeError, version_converter.ConvertError):
        return None
    other.ir_version = model.ir_version
    name_nodes(other)
    try:
        onnx.checker.check_model(other, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    return other


FIX = FixProposer("opset", "the model in another opset", convert)
