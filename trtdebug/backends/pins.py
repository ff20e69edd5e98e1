"""Whether what a pin names can be pinned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trtdebug.core.errors import BuildFailure

if TYPE_CHECKING:
    import onnx


def check_pins(pinned: Iterable[str], model: onnx.ModelProto, name: str) -> None:
    """Refuses pins that name no node of the top-level graph.

    A body of If, Loop or Scan works in the precision of the node that holds it.

    Args:
        name: of the model's file.

    Raises:
        BuildFailure: the first name that is no node, or that of a node in a body.
    """
    from trtdebug.graph.walk import all_nodes

    nodes = {n.name for n in model.graph.node}
    for pin in pinned:
        if pin in nodes:
            continue
        for node in model.graph.node:
            if any(inner.name == pin for inner in all_nodes([node])):
                raise BuildFailure(
                    f"a pin names {pin!r}, which lies in a body of {node.name!r}.",
                    f"Pin {node.name!r}: its bodies work in its precision.",
                    node=node.name,
                )
        raise BuildFailure(f"a pin names {pin!r}, which is no node of {name}.")
