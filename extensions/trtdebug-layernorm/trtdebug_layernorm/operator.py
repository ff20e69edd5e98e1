"""The rewrite `layernorm-operator`: one LayerNormalization (opset 17) in place of the single operations.

TensorRT computes the operator's statistics in FP32 whatever the precision of its ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trtdebug.graph.index import Node
from trtdebug.graph.moments import RootMeanSquare, mean_of, root_mean_square
from trtdebug.graph.rewrite import Draft, Replacement, Rewrite
from trtdebug.graph.view import GraphView

_OPSET = 17  # of LayerNormalization

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _LayerNorm:
    """scale * (x - mean(x)) / sqrt(var(x) + epsilon) + bias over the last axes, of these sizes; None = 1 and 0."""

    x: str
    sizes: tuple[int, ...]
    epsilon: float
    nodes: tuple[str, ...]
    y: str
    scale: Array | None = None
    bias: Array | None = None


def find(view: GraphView) -> Iterator[Replacement]:
    """Every LayerNorm in FP32 over last axes of known size, with constant scale and bias of that size or without."""
    for root in view.index.nodes:
        found = root_mean_square(view, root) if view.is_op(root, "Sqrt") else None
        norm = _normalised(view, found) if found is not None else None
        if norm is not None:
            norm = _with_bias(view, _with_scale(view, norm))
            draft = Draft(view, root.name)
            ones, zeros = np.ones(norm.sizes, np.float32), np.zeros(norm.sizes, np.float32)
            scale = draft.constant("scale", ones if norm.scale is None else norm.scale)
            bias = draft.constant("bias", zeros if norm.bias is None else norm.bias)
            ends = {"axis": -len(norm.sizes), "epsilon": norm.epsilon}
            draft.op("LayerNormalization", norm.x, scale, bias, to=norm.y, **ends)
            yield draft.instead_of(norm.nodes, opset=_OPSET)


def _normalised(view: GraphView, norm: RootMeanSquare) -> _LayerNorm | None:
    """(x - mean(x)) / root, without scale and bias yet."""
    centred = view.writer(norm.x, "Sub")
    mean = mean_of(view, centred.inputs[1]) if centred is not None else None
    if centred is None or mean is None or (mean.of, mean.axes) != (centred.inputs[0], norm.axes):
        return None
    sizes = _last(view, mean.of, norm.axes)
    if sizes is None:
        return None
    nodes = (*mean.nodes, centred.name, *norm.nodes)
    start = _LayerNorm(mean.of, sizes, norm.epsilon, nodes, norm.root)
    for reader in view.readers(norm.root):
        if view.is_op(reader, "Div") and reader.inputs == (norm.x, norm.root):
            return _then(start, reader)
        if view.is_op(reader, "Reciprocal"):
            return _times_inverse(view, _then(start, reader), norm.x)
    return None


def _times_inverse(view: GraphView, inverse: _LayerNorm, centred: str) -> _LayerNorm | None:
    """centred * inverse, or centred * (inverse * scale); `inverse.y` is 1 / root."""
    for reader in view.readers(inverse.y):
        if not view.is_op(reader, "Mul"):
            continue
        if set(reader.inputs) == {centred, inverse.y}:
            return _then(inverse, reader)
        scaled = _times_constant(view, inverse, reader)
        for last in view.readers(reader.outputs[0]) if scaled is not None else ():
            if scaled is not None and view.is_op(last, "Mul") and set(last.inputs) == {centred, scaled.y}:
                return _then(scaled, last)
    return None


def _with_scale(view: GraphView, norm: _LayerNorm) -> _LayerNorm:
    """With the factor after it, where there is one and nothing else reads what is scaled."""
    reader = _sole_reader(view, norm.y)
    if norm.scale is not None or reader is None or not view.is_op(reader, "Mul"):
        return norm
    return _times_constant(view, norm, reader) or norm


def _times_constant(view: GraphView, norm: _LayerNorm, reader: Node) -> _LayerNorm | None:
    value = _constant(view, norm, reader)
    return None if value is None else replace(_then(norm, reader), scale=value)


def _with_bias(view: GraphView, norm: _LayerNorm) -> _LayerNorm:
    reader = _sole_reader(view, norm.y)
    if reader is None or not view.is_op(reader, "Add"):
        return norm
    value = _constant(view, norm, reader)
    return norm if value is None else replace(_then(norm, reader), bias=value)


def _then(norm: _LayerNorm, node: Node) -> _LayerNorm:
    return replace(norm, nodes=(*norm.nodes, node.name), y=node.outputs[0])


def _sole_reader(view: GraphView, tensor: str) -> Node | None:
    readers = view.readers(tensor)
    return readers[0] if len(readers) == 1 and tensor not in view.index.outputs else None


def _constant(view: GraphView, norm: _LayerNorm, node: Node) -> Array | None:
    """The constant that the node joins to the norm, in the norm's sizes; None where its shape is another one."""
    other = node.inputs[1] if node.inputs[0] == norm.y else node.inputs[0]
    value, rank = view.value(other), view.rank(norm.x)
    if value is None or value.dtype != np.float32 or rank is None or value.ndim > rank:
        return None
    if value.size == 1:
        return np.full(norm.sizes, value.reshape(-1)[0])
    own = value.shape[len(value.shape) - len(norm.sizes) :]
    return value.reshape(norm.sizes) if own == norm.sizes and value.size == np.prod(norm.sizes) else None


def _last(view: GraphView, tensor: str, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Sizes of these axes, where they are the last ones and of known size."""
    shape = view.shape(tensor)
    if shape is None or axes != tuple(range(len(shape) - len(axes), len(shape))):
        return None
    sizes = tuple(size for axis in axes if isinstance(size := shape[axis], int))
    return sizes if len(sizes) == len(axes) else None


REWRITE = Rewrite("layernorm-operator", "one LayerNormalization in place of its single operations", find)
