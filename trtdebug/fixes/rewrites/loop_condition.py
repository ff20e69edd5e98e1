"""A condition that is true for a Loop that has none.

ONNX takes an omitted condition for true. TensorRT's parser gives the body no such tensor, and refuses the node in it
that reads one ("Node input was not registered").
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView
from trtdebug.plugins.rewrites import rewrite_fix, where_it_fails

_CONDITION = 1
"""Position of the condition among the inputs."""


def find(view: GraphView) -> Iterator[Replacement]:
    """Every Loop of the top-level graph whose condition is omitted."""
    for node in view.index.nodes:
        if view.is_op(node, "Loop") and len(node.inputs) > _CONDITION and not node.inputs[_CONDITION]:
            draft = Draft(view, node.name)
            draft.again(node, {_CONDITION: draft.constant("condition", np.bool_(True))})
            yield draft.instead_of((node.name,))


REWRITE = Rewrite("loop-condition", "true given to Loops without a condition", find)
FIX = rewrite_fix(REWRITE, where_it_fails)
