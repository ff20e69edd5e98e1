"""Raising a model's opset by its number alone, where that changes the meaning of none of its operators.

`onnx.version_converter` would rewrite operators, and it loses what it does not know. Between two opsets most
operators only took more types; where one changed otherwise, the model is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import defs

from trtdebug.graph.walk import all_nodes

_OWN = ("", "ai.onnx")
_CHANGED_MEANING = {"RoiAlign": 16, "BatchNormalization": 9, "Resize": 13, "GridSample": 20}
"""Operators whose results changed in this opset without a trace in their signature."""


def opset_of(model: onnx.ModelProto) -> int:
    """Version of ONNX's own operators; 1 where the model names none."""
    return next((o.version for o in model.opset_import if o.domain in _OWN), 1)


def can_raise(model: onnx.ModelProto, to: int) -> bool:
    """Whether every operator of the model, in bodies too, means the same in opset `to`."""
    versions = [o.version for o in model.opset_import if o.domain in _OWN]
    if len(versions) != 1 or model.functions or to > defs.onnx_opset_version():
        return False
    own = (node for node in all_nodes(model.graph.node) if node.domain in _OWN)
    return all(means_the_same(node, versions[0], to) for node in own)


def raise_opset(model: onnx.ModelProto, to: int) -> None:
    """Writes `to` as the version of ONNX's own operators, in place; see `can_raise`."""
    for opset in model.opset_import:
        if opset.domain in _OWN:
            opset.version = to


def means_the_same(node: onnx.NodeProto, old: int, new: int) -> bool:
    """Whether a node of ONNX's own operators, as it stands there, computes the same in another opset."""
    if not defs.has(node.op_type, ""):
        return False
    try:
        before, after = (defs.get_schema(node.op_type, version, "") for version in (old, new))
    except defs.SchemaError:
        return False
    if before.since_version == after.since_version:
        return True
    return (
        not after.deprecated
        and not before.since_version < _CHANGED_MEANING.get(node.op_type, 0) <= after.since_version
        and len(node.input) <= after.max_input
        and len(node.output) <= after.max_output
        and _names(before.inputs) == _names(after.inputs)[: len(before.inputs)]
        and all(_is_kept(attribute, after) for attribute in before.attributes.values())
        and not any(a.required for n, a in after.attributes.items() if n not in before.attributes)
    )


def _is_kept(attribute: defs.OpSchema.Attribute, schema: defs.OpSchema) -> bool:
    other = schema.attributes.get(attribute.name)
    return (
        other is not None
        and other.type == attribute.type
        and other.default_value.SerializeToString() == attribute.default_value.SerializeToString()
        and other.required <= attribute.required
    )


def _names(parameters: Sequence[defs.OpSchema.FormalParameter]) -> list[str]:
    return [parameter.name for parameter in parameters]
