"""Pairs of nodes that undo each other, dropped: between the nodes around them they block a fusion.

Unsqueeze and Squeeze of the same axes, two Transposes, two Reshapes; one directly after the other, or with nodes
between them that work on each element by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.graph.index import Node
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import beside_culprit, rewrite_fix

_SHAPING = ("Squeeze", "Unsqueeze", "Transpose", "Reshape")
_BY_ELEMENT = frozenset(
    (
        "Abs",
        "Ceil",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "HardSigmoid",
        "HardSwish",
        "LeakyRelu",
        "Log",
        "Neg",
        "Reciprocal",
    )
) | frozenset(("Relu", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Tanh"))


def find(view: GraphView) -> Iterator[Replacement]:
    """Every such pair."""
    for second in view.index.nodes:
        if view.is_op(second, *_SHAPING):
            yield from _pair(view, second)


def _pair(view: GraphView, second: Node) -> Iterator[Replacement]:
    between: list[Node] = []
    tensor = second.inputs[0]
    while (node := view.writer(tensor)) is not None and node.op in _BY_ELEMENT:
        between.insert(0, node)
        tensor = node.inputs[0]
    if node is None or not _cancels(view, node, second):
        return
    draft = Draft(view, second.name)
    nodes = (node.name, *(n.name for n in between), second.name)
    if not between:
        yield draft.instead_of(nodes, {second.outputs[0]: node.inputs[0]})
        return
    tensor = node.inputs[0]
    for inner in between:
        last = inner is between[-1]
        tensor = draft.again_on(inner, tensor, to=second.outputs[0] if last else None)
    yield draft.instead_of(nodes)


def _cancels(view: GraphView, first: Node, second: Node) -> bool:
    """Whether the second gives the shape and the order back that the first took."""
    if {first.op, second.op} == {"Squeeze", "Unsqueeze"}:
        axes = view.axes(first)
        return axes is not None and axes == view.axes(second)
    if first.op == second.op == "Transpose":
        ours, theirs = view.attribute(first, "perm"), view.attribute(second, "perm")
        if ours is None or theirs is None or len(ours) != len(theirs):
            return False
        return [ours[axis] for axis in theirs] == list(range(len(ours)))
    if first.op == second.op == "Reshape":
        before, after = view.shape(first.inputs[0]), view.shape(second.outputs[0])
        known = before is not None and all(isinstance(size, int) for size in before)
        return known and before == after
    return False


REWRITE = Rewrite("pairs", "pairs of nodes that undo each other dropped", find)
FIX = rewrite_fix(REWRITE, beside_culprit)
