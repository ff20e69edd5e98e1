"""Index of a model's top-level graph: who writes a tensor, who reads it, in which order nodes run."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import onnx

from trtdebug.core.errors import UserError
from trtdebug.graph.names import node_names
from trtdebug.graph.walk import bodies, captured, fed_inputs, initializer_names


@dataclass(frozen=True)
class Node:
    """One node of the top-level graph.

    Attributes:
        name: unique in the graph (see `trtdebug.graph.names`).
        inputs: tensor names as written, '' for an omitted optional input.
        outputs: tensor names as written, '' for an unused optional output.
        captured: tensors of the top-level graph that the bodies of If, Loop or Scan read.
        has_body: whether the node holds graphs.
    """

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captured: tuple[str, ...] = ()
    has_body: bool = False

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Every tensor that the node reads, captured ones too, each once."""
        return tuple(dict.fromkeys(name for name in (*self.inputs, *self.captured) if name))

    @property
    def writes(self) -> tuple[str, ...]:
        """Every tensor that the node writes."""
        return tuple(name for name in self.outputs if name)


class GraphIndex:
    """Index of a model. Holds no reference to it; it does not follow later changes.

    Attributes:
        nodes: in file order.
        order: node names in topological order; nodes that are free to run keep the order of the file.
        producer: node that writes a tensor (the first one, where the model is wrong and has more).
        consumers: nodes that read a tensor, in file order; reads from within bodies count.
        initializers: names of dense and sparse initialisers.
        inputs: graph inputs that are not initialisers.
        outputs: graph outputs.
        tensors: everything that nodes write, in topological order.

    Raises:
        UserError: the graph has a cycle.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.nodes: tuple[Node, ...] = tuple(
            Node(
                name=name,
                op=node.op_type,
                domain=node.domain,
                inputs=tuple(node.input),
                outputs=tuple(node.output),
                captured=captured(node),
                has_body=any(True for _ in bodies(node)),
            )
            for node, name in zip(graph.node, node_names(model), strict=True)
        )
        self.initializers: frozenset[str] = frozenset(initializer_names(graph))
        self.inputs: tuple[str, ...] = tuple(value.name for value in fed_inputs(graph))
        self.outputs: tuple[str, ...] = tuple(value.name for value in graph.output)

        self._by_name = {node.name: node for node in self.nodes}
        producer: dict[str, str] = {}
        consumers: dict[str, list[str]] = {}
        for node in self.nodes:
            for tensor in node.writes:
                producer.setdefault(tensor, node.name)
            for tensor in node.reads:
                consumers.setdefault(tensor, []).append(node.name)
        self.producer: Mapping[str, str] = producer
        self.consumers: Mapping[str, tuple[str, ...]] = {name: tuple(who) for name, who in consumers.items()}

        self._before: dict[str, tuple[str, ...]] = {
            node.name: tuple(dict.fromkeys(producer[tensor] for tensor in node.reads if tensor in producer))
            for node in self.nodes
        }
        after: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for name, predecessors in self._before.items():
            for predecessor in predecessors:
                after[predecessor].append(name)
        self._after: dict[str, tuple[str, ...]] = {name: tuple(nodes) for name, nodes in after.items()}

        self.order: tuple[str, ...] = self._topological()
        self._position = {name: position for position, name in enumerate(self.order)}
        self.tensors: tuple[str, ...] = tuple(
            dict.fromkeys(tensor for name in self.order for tensor in self._by_name[name].writes)
        )

    def __contains__(self, name: object) -> bool:
        """Whether a node has this name."""
        return name in self._by_name

    def node(self, name: str) -> Node:
        """The node of this name. Raises `UserError` where there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UserError(f"The model has no node {name!r}.", "`trtdebug inspect` lists them.") from None

    def position(self, name: str) -> int:
        """Place of the node in topological order, from 0."""
        self.node(name)
        return self._position[name]

    def predecessors(self, name: str) -> tuple[str, ...]:
        """Nodes that write what this node reads, in order of its inputs."""
        self.node(name)
        return self._before[name]

    def successors(self, name: str) -> tuple[str, ...]:
        """Nodes that read what this node writes, in file order."""
        self.node(name)
        return self._after[name]

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """All nodes that these nodes depend on, directly or not; these nodes only where one feeds another."""
        return self._reach(names, self._before)

    def descendants(self, names: Iterable[str]) -> frozenset[str]:
        """All nodes that depend on these nodes, directly or not; these nodes only where one feeds another."""
        return self._reach(names, self._after)

    def _reach(self, names: Iterable[str], step: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
        found: set[str] = set()
        todo = deque(self.node(name).name for name in names)
        while todo:
            for name in step[todo.popleft()]:
                if name not in found:
                    found.add(name)
                    todo.append(name)
        return frozenset(found)

    def _topological(self) -> tuple[str, ...]:
        place = {node.name: place for place, node in enumerate(self.nodes)}
        waiting = {name: len(predecessors) for name, predecessors in self._before.items()}
        ready = [place[name] for name, count in waiting.items() if count == 0]
        heapq.heapify(ready)
        order: list[str] = []
        while ready:
            name = self.nodes[heapq.heappop(ready)].name
            order.append(name)
            for successor in self._after[name]:
                waiting[successor] -= 1
                if waiting[successor] == 0:
                    heapq.heappush(ready, place[successor])
        if len(order) < len(self.nodes):
            raise UserError(
                f"The graph has a cycle: {' -> '.join(self._cycle(set(order)))}.", "Export it again."
            )
        return tuple(order)

    def _cycle(self, done: set[str]) -> list[str]:
        """Node names along one cycle, the first repeated at the end."""
        # Every node that is not done waits for one that is not done either.
        name = next(node.name for node in self.nodes if node.name not in done)
        path: dict[str, int] = {}
        while name not in path:
            path[name] = len(path)
            name = next(before for before in self._before[name] if before not in done)
        cycle = list(path)[path[name] :]
        cycle.reverse()
        return [*cycle, cycle[0]]
