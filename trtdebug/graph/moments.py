"""Patterns of norms: means, squares and the root of a mean square, as exporters write them in single operators.

All strict: axes known, no Cast on the way, every constant of one element and of the right value. What is found
computes, in exact arithmetic, just that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from trtdebug.graph.index import Node
from trtdebug.graph.view import GraphView

_REDUCTIONS = ("ReduceMean", "ReduceSum")
_RESHAPING = ("Identity", "Reshape", "Squeeze", "Unsqueeze")


@dataclass(frozen=True)
class Mean:
    """A mean of `of` over `axes` (from 0 on), with these axes kept in its shape.

    Attributes:
        nodes: that compute it from `of`.
    """

    of: str
    axes: tuple[int, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class RootMeanSquare:
    """sqrt(mean(x * x over axes) + epsilon), with the axes kept in its shape; epsilon > 0.

    Attributes:
        x: where the root is written as sqrt(E[z * z] - E[z]^2 + epsilon), z - E[z]: the same number.
        nodes: from the square to the root, that compute it.
        root: the tensor that holds it.
    """

    x: str
    axes: tuple[int, ...]
    epsilon: float
    nodes: tuple[str, ...]
    root: str


def root_mean_square(view: GraphView, root: Node) -> RootMeanSquare | None:
    """What the square root `root` computes, where it is such a root of FP32 numbers."""
    add = view.writer(root.inputs[0], "Add") if view.is_op(root, "Sqrt") else None
    split = view.with_number(add) if add is not None else None
    if add is None or split is None or not 0 < split[1] < 1 or view.dtype(root.outputs[0]) != "float32":
        return None
    shaped = _unshaped(view, split[0], clamps=True)
    square = _mean_square(view, shaped.tensor) or _deviation(view, shaped.tensor)
    if square is None or not _keeps_axes(view, split[0], shaped, square):
        return None
    nodes = (*square.mean.nodes, *shaped.nodes, add.name, root.name)
    return RootMeanSquare(square.x, square.mean.axes, split[1], nodes, root.outputs[0])


def mean_of(view: GraphView, tensor: str) -> Mean | None:
    """The mean that this tensor is, its axes kept in the shape."""
    shaped = _unshaped(view, tensor)
    found = _reduction(view, shaped.tensor)
    if found is None or not _keeps_axes(view, tensor, shaped, _Square(found.mean.of, found.mean, found.kept)):
        return None
    return Mean(found.mean.of, found.mean.axes, (*found.mean.nodes, *shaped.nodes))


def square_of(view: GraphView, tensor: str) -> tuple[str, str] | None:
    """x and the node, where this tensor is x * x or Pow(x, 2)."""
    node = view.writer(tensor, "Mul", "Pow")
    if node is None:
        return None
    if node.op == "Mul":
        return (node.inputs[0], node.name) if node.inputs[0] == node.inputs[1] else None
    split = view.with_number(node)
    return (split[0], node.name) if split is not None and split[1] == 2 else None


@dataclass(frozen=True)
class _Shaped:
    """A tensor behind nodes that only reshape it (or clamp what is not negative anyhow)."""

    tensor: str
    nodes: tuple[str, ...]
    reshaped: bool


@dataclass(frozen=True)
class _Reduced:
    """A mean as its reduction gives it; `kept`: the axes stay in the shape."""

    mean: Mean
    kept: bool


@dataclass(frozen=True)
class _Square:
    """The mean of x * x. `mean.of` is what is reduced over `mean.axes`."""

    x: str
    mean: Mean
    kept: bool


def _unshaped(view: GraphView, tensor: str, *, clamps: bool = False) -> _Shaped:
    """Goes back over nodes that change the shape alone, and keep the number of elements."""
    nodes: list[str] = []
    reshaped = False
    while (node := view.writer(tensor)) is not None:
        if node.op in _RESHAPING:
            reshaped |= node.op != "Identity"
            tensor = node.inputs[0]
        elif node.op == "Expand" and _expands_nothing(view, node):
            reshaped, tensor = True, node.inputs[0]
        elif clamps and (unclamped := _unclamped(view, node)):
            tensor = unclamped
        else:
            break
        nodes.append(node.name)
    return _Shaped(tensor, tuple(reversed(nodes)), reshaped)


def _expands_nothing(view: GraphView, node: Node) -> bool:
    """Whether an Expand gives a tensor the shape that the Reshape before it gave it, by the same tensor."""
    before = view.writer(node.inputs[0], "Reshape")
    return before is not None and before.inputs[1] == node.inputs[1]


def _unclamped(view: GraphView, node: Node) -> str | None:
    """x, where the node is max(x, 0)."""
    if node.op == "Relu":
        return node.inputs[0]
    split = view.with_number(node) if node.op == "Max" else None
    return split[0] if split is not None and split[1] == 0 else None


def _reduction(view: GraphView, tensor: str) -> _Reduced | None:
    """ReduceMean, or ReduceSum over the number of summed elements."""
    node = view.writer(tensor)
    if node is None:
        return None
    scale: float | None = None
    nodes: tuple[str, ...] = ()
    if node.op in ("Mul", "Div"):
        split = view.with_number(node)
        if split is None:
            return None
        scale = split[1] if node.op == "Div" else 1 / split[1] if split[1] else None
        nodes = (node.name,)
        node = view.writer(split[0])
    if node is None or node.op not in _REDUCTIONS or (node.op == "ReduceSum") != bool(nodes):
        return None
    axes = view.axes(node)
    if axes is None or (nodes and not _is_count(view, scale, node.inputs[0], axes)):
        return None
    return _Reduced(Mean(node.inputs[0], axes, (node.name, *nodes)), view.keeps_dims(node))


def _is_count(view: GraphView, number: float | None, tensor: str, axes: tuple[int, ...]) -> bool:
    shape = view.shape(tensor)
    if number is None or shape is None or axes[-1] >= len(shape):
        return False
    sizes = [size for axis in axes if isinstance(size := shape[axis], int)]
    return len(sizes) == len(axes) and math.isclose(number, math.prod(sizes), rel_tol=1e-6)


def _mean_square(view: GraphView, tensor: str) -> _Square | None:
    """E[x * x]."""
    found = _reduction(view, tensor)
    squared = square_of(view, found.mean.of) if found is not None else None
    if found is None or squared is None:
        return None
    x, node = squared
    return _Square(x, Mean(found.mean.of, found.mean.axes, (node, *found.mean.nodes)), found.kept)


def _deviation(view: GraphView, tensor: str) -> _Square | None:
    """E[z * z] - E[z]^2, which is E[x * x] of an x = z - E[z] that is there, too."""
    sub = view.writer(tensor, "Sub")
    square = _mean_square(view, sub.inputs[0]) if sub is not None else None
    squared = square_of(view, sub.inputs[1]) if sub is not None else None
    if sub is None or square is None or squared is None:
        return None
    mean = _reduction(view, squared[0])
    if (
        mean is None
        or (mean.mean.of, mean.mean.axes) != (square.x, square.mean.axes)
        or mean.kept != square.kept
    ):
        return None
    nodes = (*square.mean.nodes, squared[1], sub.name)
    for x in _centred(view, square.x, square.mean.axes):
        return _Square(x, Mean(square.mean.of, square.mean.axes, nodes), square.kept)
    return None


def _centred(view: GraphView, z: str, axes: tuple[int, ...]) -> Iterator[str]:
    """Tensors that are z - E[z]."""
    for node in view.readers(z):
        if view.is_op(node, "Sub") and node.inputs[0] == z:
            mean = mean_of(view, node.inputs[1])
            if mean is not None and (mean.of, mean.axes) == (z, axes):
                yield node.outputs[0]


def _keeps_axes(view: GraphView, tensor: str, shaped: _Shaped, square: _Square) -> bool:
    """Whether the tensor has the shape of the reduced one, with 1 at the reduced axes.

    Reshapes keep the number of elements. So where all dimensions but one are known to be right, that one is, too.
    """
    if not shaped.reshaped:
        return square.kept
    shape, full = view.shape(tensor), view.shape(square.mean.of)
    if shape is None or full is None or len(shape) != len(full):
        return False
    wanted = [1 if axis in square.mean.axes else size for axis, size in enumerate(full)]
    unsure = [
        axis
        for axis, (have, want) in enumerate(zip(shape, wanted, strict=True))
        if have != want or have is None
    ]
    return len(unsure) <= 1 and all(
        not (isinstance(shape[a], int) and isinstance(wanted[a], int)) for a in unsure
    )
