"""Inputs whose values are sizes: they decide the shape of some tensor."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.types import TensorType

# Operator -> inputs of it that say a shape, an extent or a place.
_SIZES = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (3,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
}


def shape_inputs(index: GraphIndex, types: Mapping[str, TensorType]) -> frozenset[str]:
    """Graph inputs from which, by integers alone, a size is computed. Bodies of If, Loop and Scan are not looked into.

    Args:
        types: of the graph's tensors; one of unknown type ends the search along its path.
    """
    return frozenset(name for name in index.inputs if decides_size(name, index, types))


def decides_size(
    name: str,
    index: GraphIndex,
    types: Mapping[str, TensorType],
    within: Collection[str] | None = None,
) -> bool:
    """Whether from this tensor of integers, by integers alone, a size is computed.

    Args:
        within: nodes to look at; None = all.
    """
    if not _is_integer(name, types):
        return False
    seen, todo = {name}, [name]
    while todo:
        tensor = todo.pop()
        for node in map(index.node, index.consumers.get(tensor, ())):
            if within is not None and node.name not in within:
                continue
            if any(node.inputs[slot : slot + 1] == (tensor,) for slot in _SIZES.get(node.op, ())):
                return True
            # Shape reads no values.
            further = {t for t in node.writes if _is_integer(t, types)} if node.op != "Shape" else set()
            todo += further - seen
            seen |= further
    return False


def _is_integer(name: str, types: Mapping[str, TensorType]) -> bool:
    return name in types and types[name].dtype.startswith(("int", "uint"))
