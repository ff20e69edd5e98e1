"""The model's graph as a reader needs it: names, operators and who reads whom. Kept in the session as graph.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_skeleton
from trtdebug.graph.types import TensorType
from trtdebug.session.files import write_text
from trtdebug.session.stored import read_stored

FILENAME = "graph.json"
REMEDY = "Delete it; `trtdebug resume` of the session writes it anew."
"""For a damaged file of those that only the page reads."""


@dataclass(frozen=True)
class GraphNode:
    """One node of the top-level graph.

    Attributes:
        before: places, in `Graph.nodes`, of the nodes that write what it reads.
        writes: the tensors that it writes.
        types: of these tensors, "float32 [4, 64]"; empty where not known.
    """

    name: str
    op: str
    before: tuple[int, ...] = ()
    writes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """The nodes in topological order; inputs and outputs of the model by name."""

    nodes: tuple[GraphNode, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @cached_property
    def place(self) -> dict[str, int]:
        """Place of a node, by name."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    @cached_property
    def producer(self) -> dict[str, int]:
        """Place of the node that writes a tensor, by the tensor's name."""
        return {tensor: i for i, node in enumerate(self.nodes) for tensor in node.writes}


@dataclass(frozen=True)
class _Stored:
    """graph.json: the graph, and of which model it is."""

    sha256: str
    graph: Graph = field(default_factory=lambda: Graph(()))


def graph_of(index: GraphIndex, types: Mapping[str, TensorType]) -> Graph:
    """What of a model the report shows."""
    return Graph(
        tuple(
            GraphNode(
                name,
                index.node(name).op,
                tuple(index.position(n) for n in index.predecessors(name)),
                index.node(name).writes,
                tuple(_words(types.get(t)) for t in index.node(name).writes),
            )
            for name in index.order
        ),
        index.inputs,
        index.outputs,
    )


def store_graph(folder: Path, sha256: str, graph: Graph) -> None:
    """Keeps it in the session's folder, for where the model is not at hand. `sha256`: of the model."""
    write_text(folder / FILENAME, dumps(_Stored(sha256, graph)))


def read_graph(folder: Path, model: Path, sha256: str) -> Graph | None:
    """The graph of the session's model: as stored, else from the model's file; None where neither is there.

    Raises:
        UserError: the stored one is damaged.
    """
    path = folder / FILENAME
    if path.exists():
        stored = read_stored(path, _Stored, REMEDY)
        if stored.sha256 == sha256:
            return stored.graph
    try:
        return graph_of(GraphIndex(load_skeleton(model)), {})
    except UserError:  # the report then says that it is not there
        return None


def _words(type_: TensorType | None) -> str:
    if type_ is None:
        return ""
    if type_.shape is None:
        return type_.dtype
    return f"{type_.dtype} [{', '.join('?' if d is None else str(d) for d in type_.shape)}]"
