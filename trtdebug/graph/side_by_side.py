"""Groups of nodes side by side: one model that holds copies of parts of another, each on inputs of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.graph.extract import extract, frame
from trtdebug.graph.types import TensorType
from trtdebug.graph.walk import bodies, initializer_names, rename_reads


@dataclass(frozen=True)
class SideBySide:
    """Copies of groups of nodes; the copy number i of a node has the name `copy_name(node, i)`.

    Attributes:
        model: nothing in it leads from one copy to another; weights are shared.
        feeds: input of `model` -> tensor of the source model to feed there.
        outputs: output of `model` -> (tensor of the source model it is, number of the copy).
    """

    model: onnx.ModelProto
    feeds: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, str]:
        """Output of `model` -> tensor of the source model that it is."""
        return {output: tensor for output, (tensor, _) in self.outputs.items()}


def side_by_side(
    model: onnx.ModelProto,
    types: Mapping[str, TensorType],
    groups: Sequence[Collection[str]],
    constants: Mapping[str, NDArray[np.generic]] | None = None,
) -> SideBySide:
    """One copy of each group, numbered from 0 on; the same group may come as often as wanted.

    Args:
        groups: names of nodes. What a group puts out is what it writes for nodes outside and for the graph's outputs.
        types, constants: as in `extract`.

    Raises:
        UserError: as `extract`.
    """
    whole = SideBySide(frame(model))
    parts = {group: extract(model, group, types, constants=constants) for group in map(tuple, groups)}
    shared: set[str] = set()
    for number, group in enumerate(groups):
        _add(whole, parts[tuple(group)], number, shared)
    return whole


def copy_name(name: str, number: int) -> str:
    """Name of a node or tensor in the copy of this number."""
    return f"{name}__copy{number}"


def copied_words(text: str, names: Iterable[str], number: int) -> str:
    """A text that is made of names of nodes, such as a builder's name of a layer, as it reads for a copy of them."""
    longest_first = sorted(names, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda m: copy_name(m[0], number), text)


def _add(whole: SideBySide, part: onnx.ModelProto, number: int, shared: set[str]) -> None:
    graph, weights = whole.model.graph, initializer_names(part.graph)
    for tensor in part.graph.initializer:
        if tensor.name not in shared:
            graph.initializer.append(tensor)
    for sparse in part.graph.sparse_initializer:
        if sparse.values.name not in shared:
            graph.sparse_initializer.append(sparse)
    shared |= weights
    tensors = [t for node in part.graph.node for t in (*node.input, *node.output)]
    tensors += [value.name for value in part.graph.input]  # read within bodies only, perhaps
    rename = {t: copy_name(t, number) for t in tensors if t and t not in weights}
    for value in part.graph.input:
        whole.feeds[rename[value.name]] = value.name
        _add_value(graph.input, value, rename)
    for value in part.graph.output:
        whole.outputs[rename[value.name]] = (value.name, number)
        _add_value(graph.output, value, rename)
    for source in part.graph.node:
        node = graph.node.add()
        node.CopyFrom(source)
        node.name = copy_name(source.name, number)
        node.input[:] = [rename.get(t, t) for t in source.input]
        node.output[:] = [rename.get(t, t) for t in source.output]
        for body in bodies(node):
            rename_reads(body, rename)


def _add_value(values: Any, value: onnx.ValueInfoProto, rename: Mapping[str, str]) -> None:
    copy = values.add()
    copy.CopyFrom(value)
    copy.name = rename[value.name]
