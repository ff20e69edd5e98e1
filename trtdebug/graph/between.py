"""Parts of a graph by their ends, or by what is in their middle."""

from __future__ import annotations

from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex


def between(index: GraphIndex, first: str, last: str) -> tuple[str, ...]:
    """All nodes on a way from one node to another, these two among them, in topological order.

    Raises:
        UserError: there is no such node, or no way from the first to the last.
    """
    start, end = index.node(first).name, index.node(last).name
    if start == end:
        return (start,)
    inner = index.descendants([start]) & index.ancestors([end])
    if end not in index.descendants([start]):
        turned = start in index.descendants([end])
        raise UserError(
            f"no way leads from {first!r} to {last!r}.",
            f"The way leads from {last!r} to {first!r}: turn them round."
            if turned
            else "Name nodes one by one.",
        )
    return tuple(sorted({start, *inner, end}, key=index.position))


def around(index: GraphIndex, tensor: str) -> tuple[str, ...]:
    """The node that writes a tensor and those that read it, in topological order.

    Raises:
        UserError: no node writes or reads a tensor of this name.
    """
    writer = index.producer.get(tensor)
    nodes = {*([writer] if writer is not None else []), *index.consumers.get(tensor, ())}
    if not nodes:
        raise UserError(f"the model has no tensor {tensor!r}.", "`trtdebug inspect` lists nodes and tensors.")
    return tuple(sorted(nodes, key=index.position))


def named(index: GraphIndex, text: str) -> tuple[str, ...]:
    """The nodes that a text names: a node as a whole or, where there is no such node, A..B or A,B,...

    A name may hold commas and dots itself, so that a whole one goes first.

    Raises:
        UserError: there is no such node, or no way from A to B.
    """
    if text in index:
        return (text,)
    for place in (i for i in range(1, len(text) - 1) if text.startswith("..", i)):
        first, last = text[:place], text[place + 2 :]
        if first in index and last in index:
            return between(index, first, last)
    if ".." in text and "," not in text:
        first, _, last = text.partition("..")
        return between(index, first.strip(), last.strip())  # says which of them is missing
    parts = [part if part in index else part.strip() for part in text.split(",") if part.strip()]
    return tuple(name for part in parts for name in ((part,) if part in index else _of_part(index, part)))


def _of_part(index: GraphIndex, part: str) -> tuple[str, ...]:
    return named(index, part) if ".." in part else (index.node(part).name,)
