"""Root of a mean square, as LayerNorm, RMSNorm and their like have it, with the numbers scaled before they are squared.

r = sqrt(mean(x^2) + e) becomes, with s = min(max(max|x|, sqrt(e)), 65504) over the same axes,

    r = s * sqrt(mean((x/s)^2) + (sqrt(e)/s)^2)

In exact arithmetic both are equal. The first squares what it gets: beyond 256 that is no FP16 number any more, and
below 2^-13 it is 0. In the second nothing lies beyond max|x| or the number of elements; neither x = 0 nor a small e
hurts. The equation holds for every s > 0; the bound, FP16's largest number, keeps an Inf in x an Inf: divided by an
infinite s it were a NaN.
Only the root is computed otherwise: all that reads it, and all that x goes into, stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtdebug.graph.moments import RootMeanSquare, root_mean_square
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import rewrite_fix

_OPSET = 8  # of a Max and a Min that broadcast
_LARGEST = np.float32(np.finfo(np.float16).max)


def find(view: GraphView) -> Iterator[Replacement]:
    """Every such root in FP32."""
    for node in view.index.nodes if view.opset >= _OPSET else ():
        found = root_mean_square(view, node)
        if found is not None:
            yield _scaled(view, found, node.name)


def _scaled(view: GraphView, norm: RootMeanSquare, name: str) -> Replacement:
    draft = Draft(view, name)
    root_epsilon = draft.constant("root_epsilon", np.sqrt(np.float32(norm.epsilon)))
    largest = draft.reduce("ReduceMax", draft.op("Abs", norm.x), norm.axes)
    bound = draft.constant("largest", _LARGEST)
    scale = draft.op("Min", draft.op("Max", largest, root_epsilon), bound)
    scaled = draft.op("Div", norm.x, scale)
    mean = draft.reduce("ReduceMean", draft.op("Mul", scaled, scaled), norm.axes)
    epsilon = draft.op("Div", root_epsilon, scale)
    root = draft.op("Sqrt", draft.op("Add", mean, draft.op("Mul", epsilon, epsilon)))
    draft.op("Mul", root, scale, to=norm.root)
    return draft.instead_of(norm.nodes)


REWRITE = Rewrite("scaled-square", "scale before the square of a norm", find)
FIX = rewrite_fix(REWRITE)
