"""Pieces of a model that build as they would within it: constants and shapes stay known, borders keep their types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.derived import from_constants, from_shapes
from trtdebug.graph.extract import extract
from trtdebug.graph.function_calls import FunctionKey, called_by, key_of
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.shape_inputs import decides_size
from trtdebug.graph.types import TensorType, value_type
from trtdebug.graph.walk import all_nodes


class Cutter:
    """Cuts pieces out of one model. Nothing has to run: types are enough.

    Args:
        model: nodes named; large weights may be references to files.
        types: by tensor, as far as they are known.
        learn: types of more tensors, from a run, say; asked for where a border's type is not known in full.
        recall: recorded values of tensors; asked for where a border decides a size, and nothing says which.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        types: Mapping[str, TensorType],
        learn: Callable[[Iterable[str]], Mapping[str, TensorType]] = lambda tensors: {},
        recall: Callable[[Iterable[str]], Mapping[str, NDArray[np.generic]]] = lambda tensors: {},
    ) -> None:
        self.model = model
        self.index = GraphIndex(model)
        self.types = dict(types)
        self._learn, self._recall = learn, recall

    @cached_property
    def items(self) -> tuple[str, ...]:
        """All nodes but Constants, in topological order: what pieces are made of."""
        return tuple(name for name in self.index.order if self.index.node(name).op != "Constant")

    def needs(self, nodes: Iterable[str], without: Iterable[str] = ()) -> tuple[str, ...]:
        """Nodes that have to come along, in topological order, so that the others find what the model gives them.

        That is whoever computes what they read from constants alone; and, where a size is computed from what they
        read, whoever computes that from the shapes of other tensors.

        Args:
            without: nodes that must not come along.
        """
        chosen, banned = set(nodes), set(without)
        asked = set(chosen)
        while True:
            before = len(chosen)
            self._bring(
                chosen, self._constant - banned, {t for n in chosen for t in self.index.node(n).reads}
            )
            self._bring(chosen, self._shapely - banned, self._sizes(chosen))
            if len(chosen) == before:
                return tuple(sorted(chosen - asked, key=self.index.position))

    def piece(self, nodes: Iterable[str]) -> onnx.ModelProto:
        """Exactly these nodes, as a model; see `extract`. Border tensors that decide sizes get their recorded values.

        Raises:
            UserError: there are none, or the type of a tensor that they read from outside is not known.
        """
        chosen = set(nodes)
        unknown = [t for t in self._border(chosen) if not self._is_full(self.types.get(t))]
        if unknown:
            self.types |= self._learn(unknown)
        sizes = self._sizes(chosen)
        values = self._recall(sizes) if sizes else {}
        cut = extract(self.model, chosen, self.types, constants=values, index=self.index)
        _drop_uncalled(cut)
        return cut

    def is_plain(self, tensor: str) -> bool:
        """Whether it is a tensor of floats of a known shape."""
        type_ = self.types.get(tensor)
        return type_ is not None and type_.is_float and self._is_full(type_)

    def blind(self, without: Iterable[str]) -> tuple[str, ...]:
        """Nodes that no piece without these can have, since nobody knows the type of what they would read."""
        gone = set(without)
        found = []
        for name in self.index.order:
            node = self.index.node(name)
            if name not in gone and any(
                self.index.producer.get(t) in gone and not self._known_type(t) for t in node.reads
            ):
                gone.add(name)
                found.append(name)
        return tuple(found)

    def _known_type(self, tensor: str) -> bool:
        if tensor not in self.types:
            self.types |= self._learn([tensor])
        return tensor in self.types

    def _border(self, chosen: set[str]) -> list[str]:
        """Tensors that these nodes read and others write."""
        read = dict.fromkeys(t for n in chosen for t in self.index.node(n).reads)
        return [t for t in read if t in self.index.producer and self.index.producer[t] not in chosen]

    def _sizes(self, chosen: set[str]) -> list[str]:
        """Those of the border from which these nodes compute sizes."""
        return [t for t in self._border(chosen) if decides_size(t, self.index, self.types, chosen)]

    def _is_full(self, type_: TensorType | None) -> bool:
        """Whether each dimension has a size, or a name that an input of the model gives it."""
        return (
            type_ is not None
            and type_.shape is not None
            and all(isinstance(dim, int) or dim in self._symbols for dim in type_.shape)
        )

    @cached_property
    def _symbols(self) -> frozenset[str]:
        """Names of dynamic dimensions of the model's inputs."""
        types = (value_type(value) for value in self.model.graph.input)
        shapes = (type_.shape or () for type_ in types if type_ is not None)
        return frozenset(dim for shape in shapes for dim in shape if isinstance(dim, str))

    def _bring(self, chosen: set[str], eligible: frozenset[str] | set[str], tensors: Iterable[str]) -> None:
        """Adds, transitively, the eligible nodes that write these tensors."""
        todo = list(tensors)
        while todo:
            name = self.index.producer.get(todo.pop())
            if name is not None and name in eligible and name not in chosen and name not in self._values:
                chosen.add(name)
                todo += self.index.node(name).reads

    @cached_property
    def _values(self) -> frozenset[str]:
        """Constants whose value `extract` makes an initialiser of: they need not come along."""
        tensors = constant_tensors(self.model)
        return frozenset(
            n.name for n in self.index.nodes if n.op == "Constant" and tensors.keys() & set(n.writes)
        )

    @cached_property
    def _constant(self) -> frozenset[str]:
        """Nodes whose results stand in the model, in effect: they read constants alone."""
        return from_constants(self.index)

    @cached_property
    def _shapely(self) -> frozenset[str]:
        """Nodes whose results follow from constants and from shapes of tensors alone."""
        return from_shapes(self.index)


def _drop_uncalled(model: onnx.ModelProto) -> None:
    """Takes local functions that nothing in the model calls out of it."""
    by_name = {key_of(f): f for f in model.functions}
    called: set[FunctionKey] = set()
    todo = list(all_nodes(model.graph.node))
    while todo:
        key = called_by(todo.pop())
        if key in by_name and key not in called:
            called.add(key)
            todo += all_nodes(by_name[key].node)
    kept = [f for key, f in by_name.items() if key in called]
    del model.functions[:]
    model.functions.extend(kept)
