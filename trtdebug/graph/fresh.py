"""Names that nothing in a model has yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from trtdebug.graph.walk import bodies


class FreshNames:
    """Gives names for tensors and nodes that nothing has: a body must not take a name from around it."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, name: str) -> str:
        """`name`, with underscores behind it where it is taken; taken from now on."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def names_in(graph: onnx.GraphProto) -> Iterator[str]:
    """Names of all tensors and nodes of the graph and of its bodies; some more than once."""
    yield from (v.name for v in (*graph.input, *graph.output, *graph.value_info))
    yield from (i.name for i in graph.initializer)
    yield from (i.values.name for i in graph.sparse_initializer)
    for node in graph.node:
        yield node.name
        yield from (*node.input, *node.output)
        for body in bodies(node):
            yield from names_in(body)
