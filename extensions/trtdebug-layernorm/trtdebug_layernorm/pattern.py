"""Finds LayerNorm and RMSNorm that were exported as single operations.

Anchor is the square root. Backwards from it lie an added epsilon, anything that only scales, clamps or
reshapes the variance, a mean (or a scaled sum), and a square; forwards, the division of the very tensor that
was squared. Both ends have to fit, else it is another root of squares (a standard deviation, a spectrum).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import onnx

from trtdebug.graph.index import GraphIndex, Node
from trtdebug.graph.moments import square_of
from trtdebug.graph.view import GraphView

_SHAPING = {"Reshape", "Expand", "Squeeze", "Unsqueeze", "Identity", "Cast"}
_REDUCTIONS = {"ReduceMean", "ReduceSum"}


@dataclass(frozen=True)
class Norm:
    """One decomposed norm.

    Attributes:
        kind: "LayerNorm" takes off the mean, "RMSNorm" does not.
        nodes: names of the nodes from the square to the square root, topological order.
        squared: the tensor that is squared.
    """

    kind: Literal["LayerNorm", "RMSNorm"]
    nodes: tuple[str, ...]
    squared: str


def find_norms(model: onnx.ModelProto, index: GraphIndex) -> tuple[Norm, ...]:
    """All decomposed norms of the top-level graph, topological order."""
    finder = _Finder(GraphView(model, index))
    found = (finder.norm_at(index.node(name)) for name in index.order)
    return tuple(norm for norm in found if norm is not None)


@dataclass(frozen=True)
class _Variance:
    """`nodes` from the square on, `squared` their input; `minus_mean`: computed as E[x²] - E[x]²."""

    nodes: frozenset[str]
    squared: str
    minus_mean: bool


class _Finder:
    def __init__(self, view: GraphView) -> None:
        self._view, self._index = view, view.index

    def norm_at(self, root: Node) -> Norm | None:
        """The norm whose square root is `root`."""
        if root.op != "Sqrt":
            return None
        add = self._view.writer(root.inputs[0], "Add")
        if add is None:
            return None
        split = self._split(add)
        if split is None or not 0 <= split[1] < 1:
            return None
        variance = self._variance(split[0])
        if variance is None:
            return None
        kind = self._kind(root, variance)
        if kind is None:
            return None
        nodes = variance.nodes | {add.name, root.name}
        return Norm(kind, tuple(sorted(nodes, key=self._index.position)), variance.squared)

    def _kind(self, root: Node, variance: _Variance) -> Literal["LayerNorm", "RMSNorm"] | None:
        """What the root divides says which norm it is; None where that is not what was squared."""
        divided = tuple(self._divided(root.outputs[0]))
        for numerator in divided:
            centred = self._centred(numerator)
            if variance.minus_mean and centred == variance.squared:
                return "LayerNorm"
            if not variance.minus_mean and self._same(numerator) == self._same(variance.squared):
                return "RMSNorm" if centred is None else "LayerNorm"
            # Keras: x / root - mean / root, with the mean taken off after the division
            if numerator == self._centred(variance.squared) and any(
                self._is_mean_of(other, numerator) for other in divided
            ):
                return "LayerNorm"
        return None

    def _variance(self, tensor: str) -> _Variance | None:
        """Walks back from the variance to the square."""
        nodes: set[str] = set()
        minus_mean = reduced = scaled = False
        mean_square: Node | None = None
        while True:
            node = self._view.writer(tensor)
            if node is None:
                return None
            nodes.add(node.name)
            squared = self._squared(node)
            if squared is not None:
                if not reduced or not scaled:  # a sum alone is an L2 norm
                    return None
                if mean_square is not None and not self._is_mean_of(self._squared(mean_square), squared):
                    return None
                return _Variance(frozenset(nodes), squared, minus_mean)
            if node.op in _REDUCTIONS and not reduced:
                reduced, scaled, tensor = True, scaled or node.op == "ReduceMean", node.inputs[0]
            elif node.op in _SHAPING or node.op == "Relu":
                tensor = node.inputs[0]
            elif node.op in ("Max", "Clip", "Mul", "Div"):
                split = self._split(node)
                if split is None:
                    return None
                scaled, tensor = scaled or node.op in ("Mul", "Div"), split[0]
            elif node.op == "Sub" and not reduced and not minus_mean:
                mean_square = self._view.writer(self._same(node.inputs[1]))
                if mean_square is None or self._squared(mean_square) is None:
                    return None
                nodes.add(mean_square.name)
                minus_mean, tensor = True, node.inputs[0]
            else:
                return None

    def _divided(self, root: str) -> Iterator[str]:
        """Tensors that are divided by `root` (or multiplied with its reciprocal, scaled or not)."""
        todo = [(root, False)]
        while todo:
            tensor, inverse = todo.pop()
            for name in self._index.consumers.get(tensor, ()):
                node = self._index.node(name)
                if node.op in _SHAPING and node.inputs[0] == tensor:
                    todo.append((node.outputs[0], inverse))
                elif node.op == "Reciprocal" and not inverse:
                    todo.append((node.outputs[0], True))
                elif node.op == "Div" and not inverse and node.inputs[1] == tensor:
                    if self._view.is_constant(node.inputs[0]):
                        todo.append((node.outputs[0], True))
                    else:
                        yield node.inputs[0]
                elif node.op == "Mul" and inverse:
                    other = node.inputs[1] if node.inputs[0] == tensor else node.inputs[0]
                    if self._view.is_constant(other):
                        todo.append((node.outputs[0], True))
                    else:
                        yield other

    def _centred(self, tensor: str) -> str | None:
        """x, where `tensor` is x - mean(x)."""
        node = self._view.writer(self._same(tensor), "Sub")
        if node is None or not self._is_mean_of(node.inputs[1], node.inputs[0]):
            return None
        return node.inputs[0]

    def _is_mean_of(self, tensor: str | None, x: str) -> bool:
        """Whether `tensor` is a mean of x over some axes, as ReduceMean or as a scaled ReduceSum."""
        while tensor is not None:
            node = self._view.writer(tensor)
            if node is None:
                return False
            if node.op in _REDUCTIONS:
                return self._same(node.inputs[0]) == self._same(x)
            split = self._split(node) if node.op in ("Mul", "Div") else None
            tensor = node.inputs[0] if node.op in _SHAPING else split[0] if split else None
        return False

    def _squared(self, node: Node) -> str | None:
        """x, where the node computes x * x or Pow(x, 2)."""
        squared = square_of(self._view, node.outputs[0])
        return squared[0] if squared is not None else None

    def _split(self, node: Node) -> tuple[str, float] | None:
        """The one input that is no constant, and the first constant, a scalar; of Div that is the divisor."""
        variable = [name for name in node.inputs if name and not self._view.is_constant(name)]
        scalars = [self._view.number(name) for name in node.inputs if self._view.is_constant(name)]
        if len(variable) != 1 or not scalars or scalars[0] is None:
            return None
        if node.op == "Div" and node.inputs[0] != variable[0]:
            return None
        return variable[0], scalars[0]

    def _same(self, tensor: str) -> str:
        """The tensor that this one only reshapes or casts."""
        node = self._view.writer(tensor)
        while node is not None and node.op in _SHAPING:
            tensor = node.inputs[0]
            node = self._view.writer(tensor)
        return tensor
