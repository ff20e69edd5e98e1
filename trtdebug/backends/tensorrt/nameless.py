"""Pins that layers' names can't say: of some nodes TensorRT's parser makes layers with other names only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from trtdebug.backends.tensorrt.precision import BODY_OPS
from trtdebug.scripts.words import printable


def nameless(pins: Iterable[str], operators: Mapping[str, str], calls: Collection[str] = ()) -> str:
    """Which pin has no layer of its node's name, and why; empty where all have.

    trtexec passes over a name that it does not find without a word.

    Args:
        operators: by node.
        calls: those of the nodes that call a function of the model.
    """
    for node in pins:
        operator = printable(operators.get(node, ""))
        if node in calls:
            return f"{printable(node)} calls the function {operator}: the layers are those of its nodes"
        if operator in BODY_OPS:
            return f"{printable(node)} is {operator}: the layers are those of its body, and can't be pinned"
    return ""
