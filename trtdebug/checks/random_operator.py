"""Random operators without a seed: the reference gives other values each time, and nothing can be compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx

from trtdebug.core.finding import Finding
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.function_calls import FunctionKey, called_by, key_of
from trtdebug.graph.randomness import draws_anew
from trtdebug.graph.walk import all_nodes
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`random-operator`, one for each kind of operator; of nodes that no output depends on nothing is said."""
    index, model = context.index, context.model
    constants = constant_tensors(model)
    functions = {key_of(function): function for function in model.functions}
    writers = {index.producer[output] for output in index.outputs if output in index.producer}
    needed = writers | index.ancestors(writers)
    found: dict[str, list[tuple[str, str]]] = {}
    for holder, top in zip(index.nodes, model.graph.node, strict=True):
        if holder.name in needed:
            for node in _within([top], functions):
                if draws_anew(node, constants):
                    how = "is" if node is top else "holds"
                    found.setdefault(node.op_type, []).append((holder.name, how))
    for kind, ((name, how), *others) in found.items():
        more = f" (and {len(others)} more)" if others else ""
        trains = " that trains" if kind == "Dropout" else ""
        yield Finding(
            "random-operator",
            "warning",
            f"{name!r} {how} a {kind}{trains} without a seed{more}: each run of the reference gives other "
            "values, with which nothing can be compared.",
            name,
            "Export the model for inference (model.eval())."
            if trains
            else "Put a constant in its place. A seed attribute makes it give the same each time, but each backend "
            "draws numbers of its own.",
        )


def _within(
    nodes: Iterable[onnx.NodeProto], functions: Mapping[FunctionKey, onnx.FunctionProto]
) -> Iterator[onnx.NodeProto]:
    """These nodes, and all that their bodies and the functions that they call hold."""
    for node in all_nodes(nodes):
        yield node
        called = functions.get(called_by(node))
        if called is not None:
            yield from _within(called.node, functions)
