"""Softmax in place of exp(x) / sum(exp(x)), which overflows FP16 from x = 11.1 on. Softmax takes off the maximum."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.graph.index import Node
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import rewrite_fix

_ANY_AXIS = 13
"""Before this opset Softmax means all axes from the given one on: the last one alone is the same."""


def find(view: GraphView) -> Iterator[Replacement]:
    """Every Exp over its own sum along one axis; as a Div, or as a Mul with the Reciprocal."""
    for node in view.index.nodes:
        if view.is_op(node, "Div", "Mul"):
            yield from _softmax(view, node)


def _softmax(view: GraphView, quotient: Node) -> Iterator[Replacement]:
    pairs = [quotient.inputs] if quotient.op == "Div" else [quotient.inputs, quotient.inputs[::-1]]
    for exponential, total in pairs:
        exp = view.writer(exponential, "Exp")
        inverse = view.writer(total, "Reciprocal") if quotient.op == "Mul" else None
        if exp is None or (quotient.op == "Mul" and inverse is None):
            continue
        sum_ = view.writer(total if inverse is None else inverse.inputs[0], "ReduceSum")
        if sum_ is None or sum_.inputs[0] != exponential or not view.keeps_dims(sum_):
            continue
        axes = view.axes(sum_)
        if axes is None or len(axes) != 1 or not _has_axis(view, exponential, axes[0]):
            continue
        draft = Draft(view, quotient.name)
        draft.op("Softmax", exp.inputs[0], to=quotient.outputs[0], axis=axes[0])
        inner = () if inverse is None else (inverse.name,)
        yield draft.instead_of((exp.name, sum_.name, *inner, quotient.name))


def _has_axis(view: GraphView, tensor: str, axis: int) -> bool:
    return view.opset >= _ANY_AXIS or view.rank(tensor) == axis + 1


REWRITE = Rewrite("softmax", "Softmax in place of exp over its sum", find)
FIX = rewrite_fix(REWRITE)
