"""Which tensors are indices of the best values of another one: outputs of ArgMax, ArgMin and TopK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import helper


@dataclass(frozen=True)
class Chosen:
    """`values`: the tensor chosen from; `axis`: along which; `keepdims`: the indices have that axis, too."""

    values: str
    axis: int
    keepdims: bool


_UNCHANGED = ("Cast", "Identity")


def chosen_indices(graph: onnx.GraphProto) -> Mapping[str, Chosen]:
    """Index tensors of a graph by name, also those that were only cast or handed on since."""
    found: dict[str, Chosen] = {}
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("ArgMax", "ArgMin"):
            keep = bool(attributes.get("keepdims", 1))
            found[node.output[0]] = Chosen(node.input[0], attributes.get("axis", 0), keep)
        elif node.op_type == "TopK" and len(node.output) > 1 and node.output[1]:
            found[node.output[1]] = Chosen(node.input[0], attributes.get("axis", -1), True)
        elif node.op_type in _UNCHANGED and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found
