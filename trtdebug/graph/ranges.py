"""Ranges of input values: what a user wrote, and what the model allows its integer inputs to be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.core.errors import UserError
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.mapped import values_of
from trtdebug.graph.shapes import split_outside_brackets
from trtdebug.graph.types import TensorType, tensor_types

EVERY_INPUT = ""
"""Key of the range that holds for all inputs without one of their own."""

_HINT = "Write [LOW,HIGH] for all inputs or NAME:[LOW,HIGH] for one."
# Operators whose first input's values are their output's.
_VALUES_KEPT = frozenset(
    ("Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
)


def parse_ranges(items: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Ranges (low, high) by input name, `EVERY_INPUT` for one without a name: `[0,1]`, `0,256`, `x:[-1,1]`.

    Raises:
        UserError: not such a range, not finite, or LOW above HIGH.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for item in items:
        for text in split_outside_brackets(item.replace("，", ","), " \t\n"):
            name, colon, numbers = text.rpartition(":")
            parts = numbers.strip().removeprefix("[").removesuffix("]").split(",")
            try:
                low, high = (float(part) for part in parts)
            except ValueError:
                raise UserError(f"{text!r} is not a range of two numbers.", _HINT) from None
            if colon and not name:
                raise UserError(f"{text!r} is not a range: there is no name before the colon.", _HINT)
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise UserError(f"{text!r} is not a range: it needs two finite numbers, LOW <= HIGH.", _HINT)
            ranges[name] = (low, high)
    return ranges


def index_ranges(model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    """Lowest and highest value of each input that the model uses as an index, both allowed.

    Such an input reaches the indices of a Gather, GatherElements or OneHot, or a comparison with a constant
    that spells out the classes (one-hot by Equal), through operators that keep values. Where it reaches
    several, the smallest range counts. Inputs whose use tells nothing are left out.
    """
    index, types = GraphIndex(model), tensor_types(model)
    constants = _Constants(model, index)
    ranges: dict[str, tuple[int, int]] = {}
    for name in index.inputs:
        dtype = types[name].dtype if name in types else ""
        if not dtype.startswith(("int", "uint")):
            continue
        found = list(_uses(name, index, types, constants))
        if found:
            low, high = max(low for low, _ in found), min(high for _, high in found)
            if low <= high:
                ranges[name] = (low, high)
    return ranges


class _Constants:
    """Values of tensors that no input reaches, and the axis attribute of nodes by name."""

    def __init__(self, model: onnx.ModelProto, index: GraphIndex) -> None:
        self._index = index
        self.axes = {
            node.name: int(attribute.i)
            for node, proto in zip(index.nodes, model.graph.node, strict=True)
            for attribute in proto.attribute
            if attribute.name == "axis"
        }
        self._weights = constant_tensors(model)

    def value(self, tensor: str) -> NDArray[np.generic] | None:
        """The constant that this tensor repeats or rearranges; None where it is none."""
        while tensor not in self._weights:
            producer = self._index.producer.get(tensor)
            node = self._index.node(producer) if producer else None
            if node is None or node.op not in _VALUES_KEPT:
                return None
            tensor = node.inputs[0]
        return values_of(self._weights[tensor])


def _uses(
    name: str, index: GraphIndex, types: Mapping[str, TensorType], constants: _Constants
) -> Iterator[tuple[int, int]]:
    todo, seen = [name], {name}
    while todo:
        tensor = todo.pop()
        for consumer in index.consumers.get(tensor, ()):
            node = index.node(consumer)
            if node.op in _VALUES_KEPT and node.inputs[0] == tensor:
                new = [output for output in node.writes if output not in seen]
                seen.update(new)
                todo.extend(new)
            else:
                found = _range_of_use(node, tensor, types, constants)
                if found:
                    yield found


def _range_of_use(
    node: Node, tensor: str, types: Mapping[str, TensorType], constants: _Constants
) -> tuple[int, int] | None:
    if node.op in ("Gather", "GatherElements") and node.inputs[1] == tensor:
        return _rows(node, constants.axes.get(node.name, 0), types)
    if node.op == "OneHot" and node.inputs[0] == tensor:
        depth = constants.value(node.inputs[1])
        return (0, int(depth.reshape(-1)[0]) - 1) if depth is not None and depth.size else None
    if node.op == "Equal":
        other = next((name for name in node.inputs if name != tensor), None)
        classes = constants.value(other) if other else None
        # A single number is a mask's padding value, say; it tells nothing of the others.
        if classes is not None and classes.size > 1 and classes.dtype.kind in "iuf":
            return int(classes.min()), int(classes.max())
    return None


def _rows(node: Node, axis: int, types: Mapping[str, TensorType]) -> tuple[int, int] | None:
    data = types.get(node.inputs[0])
    if data is None or not data.shape:
        return None
    rows = data.shape[axis] if -len(data.shape) <= axis < len(data.shape) else None
    return (0, rows - 1) if isinstance(rows, int) and rows > 0 else None
