"""Which nodes are refused, in a model and in what was made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import onnx
from onnx import inliner

from trtdebug.core.diagnosis import Culprit
from trtdebug.fixes.ladder.equivalents import OF_BYTES
from trtdebug.graph.expand import Call
from trtdebug.graph.function_calls import give_defaults
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.names import name_nodes, node_names
from trtdebug.plugins.types import FixContext


@dataclass(frozen=True)
class Refused:
    """The nodes at fault.

    Attributes:
        model: the case's; where a node at fault is in a function, with all functions inlined.
        alone: nodes of the top level that are refused by themselves.
        together: sets of such nodes that are refused only together: to replace one of a set may be enough.
        inner: a node of the top level, with an operator that is refused in its bodies.
        anywhere: operators that are refused wherever they are: of functions that were inlined.
        is_inlined: `model` is not the case's.
        neighbours: nodes that have to go with those, though nothing is known against them.
    """

    model: onnx.ModelProto
    alone: frozenset[str] = frozenset()
    together: tuple[frozenset[str], ...] = ()
    inner: frozenset[tuple[str, str]] = frozenset()
    anywhere: frozenset[str] = frozenset()
    is_inlined: bool = False
    neighbours: frozenset[str] = frozenset()

    def wants(self, call: Call) -> bool:
        """Whether something has to be put in the place of this node, or may be."""
        return self.needs(call) or any(_is_in(call, nodes) for nodes in (*self.together, self.neighbours))

    def needs(self, call: Call) -> bool:
        """Whether the model is refused as long as this node is in it."""
        inner = bool(call.holders) and (call.holders[0], call.node.op_type) in self.inner
        return inner or call.node.op_type in self.anywhere or _is_in(call, self.alone)

    def is_covered(self, replaced: Iterable[Call], left: Iterable[Call]) -> bool:
        """Whether nothing is known any more for which the model has to be refused."""
        gone = {call.node.name for call in replaced if not call.holders}
        return not any(self.needs(call) for call in left) and all(gone & nodes for nodes in self.together)


@dataclass
class _Sorted:
    """Culprits in the making of a `Refused`."""

    callers: frozenset[str]
    alone: set[str] = field(default_factory=set)
    together: list[frozenset[str]] = field(default_factory=list)
    inner: set[tuple[str, str]] = field(default_factory=set)
    anywhere: set[str] = field(default_factory=set)
    inline: bool = False

    def add(self, culprit: Culprit) -> None:
        operator = culprit.error.operator if culprit.error is not None else ""
        if self.callers.intersection((*culprit.inside, *culprit.nodes)):
            self.inline = True
            self.anywhere |= {operator} if culprit.inside and operator else set()
        elif culprit.inside:
            self.inner.add((culprit.inside[0], operator))
        elif len(culprit.nodes) == 1:
            self.alone.add(culprit.nodes[0])
        else:
            self.together.append(frozenset(culprit.nodes))


def refused(context: FixContext) -> Refused | None:
    """The nodes that were shown to be refused; None where the model builds, or none was."""
    return (
        refused_of(context.model, context.unbuildable) if context.signature.kind == "build-failure" else None
    )


def refused_of(model: onnx.ModelProto, culprits: Iterable[Culprit]) -> Refused | None:
    """Of these culprits, those that were shown to be refused; None where none was.

    Nodes whose results are not built as outputs are built all the same, and not refused.
    """
    proven = [culprit for culprit in culprits if culprit.proven and not culprit.tensors]
    if not proven:
        return None
    local = {(f.domain, f.name) for f in model.functions}
    named = zip(node_names(model), model.graph.node, strict=True)
    found = _Sorted(frozenset(name for name, node in named if (node.domain, node.op_type) in local))
    for culprit in proven:
        found.add(culprit)
    return Refused(
        inlined(model) if found.inline else model,
        frozenset(found.alone),
        tuple(found.together),
        frozenset(found.inner),
        frozenset(found.anywhere),
        found.inline,
        _neighbours(model, found.alone),
    )


def _neighbours(model: onnx.ModelProto, refused: Iterable[str]) -> frozenset[str]:
    """Operators on 8-bit integers that hand these to or take them from a refused one, or its neighbours."""
    index = GraphIndex(model)
    of_bytes = {node.name for node in index.nodes if node.op in OF_BYTES and not node.domain}
    found = of_bytes.intersection(refused)
    todo = list(found)
    while todo:
        name = todo.pop()
        new = of_bytes.intersection((*index.predecessors(name), *index.successors(name))) - found
        found |= new
        todo += new
    return frozenset(found)


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the bodies of its functions in the place of calls; nodes named."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    give_defaults(copy)
    flat: onnx.ModelProto = inliner.inline_local_functions(copy)
    name_nodes(flat)
    return flat


def _is_in(call: Call, nodes: frozenset[str]) -> bool:
    return not call.holders and call.node.name in nodes
