"""Emulation of low-precision kernels: a model whose chosen nodes round what they read and what they store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.digits import split, split_nodes
from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.lowtypes import NUMPY_TYPE, ONNX_TYPE
from trtdebug.graph.mapped import is_mapped
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import (
    TensorType,
    graph_types,
    infer,
    tensor_types,
    value_info,
    without_weights,
)
from trtdebug.graph.walk import bodies

WIDE: Mapping[str, int] = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
"""What can be rounded: numpy dtype name -> ONNX element type."""

# Inputs that a kernel of any precision takes in full: scales of quantisation, sizes in disguise.
_KEPT_INPUTS: Mapping[str, frozenset[int]] = {
    "QuantizeLinear": frozenset({1}),
    "DequantizeLinear": frozenset({1}),
    "Resize": frozenset({1, 2}),
    "Upsample": frozenset({1}),
    "Range": frozenset({0, 1, 2}),
}


@dataclass(frozen=True)
class Rounded:
    """A model that rounds.

    Attributes:
        model: a copy of the model given.
        left_out: top-level node -> the nodes of its bodies (and of bodies in those) that work in full precision
            nonetheless, because the type of a tensor of theirs is unknown. A nameless one is told by what it
            computes ("Mul of 'y'").
    """

    model: onnx.ModelProto
    left_out: Mapping[str, tuple[str, ...]]


def round_nodes(
    model: onnx.ModelProto,
    low: Iterable[str],
    dtype: LowPrecision,
    dtypes: Mapping[str, str] | None = None,
    *,
    any_size: bool = False,
) -> onnx.ModelProto:
    """The model of `rounded`, for who needs not know what was left out."""
    return rounded(model, low, dtype, dtypes, any_size=any_size).model


def rounded(
    model: onnx.ModelProto,
    low: Iterable[str],
    dtype: LowPrecision,
    dtypes: Mapping[str, str] | None = None,
    *,
    any_size: bool = False,
) -> Rounded:
    """A copy of `model` in which the nodes of `low` work as a kernel of precision `dtype` would.

    Such a node reads its float32 and float64 inputs and weights rounded to `dtype` and stores its outputs of
    these types rounded, with overflow to Inf (weights in files of their own, see trtdebug.graph.mapped, in each
    run); inside it computes in the type it had. Scales of quantisation
    and of Resize, and the limits of Range, it reads as they are. All other nodes work in full on what they are
    given. Names of nodes, tensors, inputs and outputs stay, so results compare by name.

    If, Loop or Scan in `low` stand for their bodies too: every node in there is low, but Constant nodes, which
    are weights. Calls of functions are not cut into: only what goes in and what comes out is rounded (see
    trtdebug.graph.inlined).

    Args:
        model: nodes named, top-level graph in any order that onnxruntime takes.
        low: node names. Names that are not in the graph raise KeyError.
        dtypes: numpy dtype name per top-level tensor; by default from ONNX shape inference.
        any_size: rounds to the digits of `dtype` only: nothing overflows, and nothing is too small for it. Before
            opset 9 what is not finite then becomes NaN.

    Raises:
        KeyError: a name of `low` is no node of the graph.
        BuildFailure: the type of a top-level tensor that would have to be rounded is unknown.
    """
    known = dtypes if dtypes is not None else {t: i.dtype for t, i in tensor_types(model).items()}
    chosen = set(low)
    missing = chosen - {n.name for n in model.graph.node}
    if missing:
        raise KeyError(f"no node named {sorted(missing)[0]!r}")
    for node in model.graph.node:
        if node.name in chosen:
            for tensor in (*node.input, *node.output):
                if tensor and tensor not in known:
                    raise BuildFailure(f"the type of tensor {tensor!r} is unknown, so it cannot be rounded.")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = FreshNames({*known, *names_in(copy.graph)})
    digits_in = opset_of(model) if any_size else None
    left_out: dict[str, tuple[str, ...]] = {}
    holders = [n for n in copy.graph.node if n.name in chosen and any(bodies(n))]
    if holders:
        typed = {n.name: n for n in _inferred(model, known).graph.node}
        for node in holders:
            full = tuple(_round_bodies(node, typed[node.name], known, dtype, names, digits_in))
            if full:
                left_out[node.name] = full
    positions = {i for i, n in enumerate(copy.graph.node) if n.name in chosen}
    _Rounder(copy.graph, positions, dtype, known, names, digits_in).run()
    return Rounded(copy, left_out)


def _inferred(model: onnx.ModelProto, dtypes: Mapping[str, str]) -> onnx.ModelProto:
    """The model with types in its bodies; what inference does not find on the top level is told to it."""
    hinted = without_weights(model)
    declared = {v.name for v in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    written = {t for n in model.graph.node for t in n.output if t} - declared
    hinted.graph.value_info.extend(
        value_info(t, TensorType(dtypes[t], None)) for t in sorted(written) if dtypes.get(t) in WIDE
    )
    return infer(hinted)


def _round_bodies(
    node: onnx.NodeProto,
    typed: onnx.NodeProto,
    outer: Mapping[str, str],
    dtype: LowPrecision,
    names: FreshNames,
    digits_in: int | None,
) -> Iterator[str]:
    """Rounds in the bodies of `node`; gives what it had to leave out. `typed` is the node after inference."""
    for body, inferred in zip(bodies(node), bodies(typed), strict=True):
        known = {**outer, **{t: i.dtype for t, i in graph_types(inferred).items()}}
        low = set()
        for i, (inner, counterpart) in enumerate(zip(body.node, inferred.node, strict=True)):
            yield from _round_bodies(inner, counterpart, known, dtype, names, digits_in)
            if inner.op_type == "Constant":
                continue
            if all(t in known for t in (*inner.input, *inner.output) if t):
                low.add(i)
            else:
                yield inner.name or f"{inner.op_type} of {next(iter(inner.output), '')!r}"
        _Rounder(body, low, dtype, known, names, digits_in).run()


class _Rounder:
    """Rounds around the nodes at the positions `low` of one graph. `dtypes` knows all that they read and write.

    Args:
        digits_in: opset of the graph, where only digits are to be lost.
    """

    def __init__(
        self,
        graph: onnx.GraphProto,
        low: set[int],
        dtype: LowPrecision,
        dtypes: Mapping[str, str],
        names: FreshNames,
        digits_in: int | None,
    ) -> None:
        self.graph, self.low, self.dtype, self.dtypes, self.names = graph, low, dtype, dtypes, names
        self.digits_in = digits_in
        fed = {i.name for i in graph.input}  # an initialiser that is an input too is but a default
        self.weights = {i.name: i for i in graph.initializer if i.name not in fed}
        self.stored_low = {o for i in low for o in graph.node[i].output}
        self.variants: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        for i, node in enumerate(list(self.graph.node)):
            if i in self.low:
                kept = _KEPT_INPUTS.get(node.op_type, frozenset())
                inputs = [
                    t if at in kept or self.is_picked_from(node, t) else self.read(t)
                    for at, t in enumerate(node.input)
                ]
                del node.input[:]
                node.input.extend(inputs)
                after = [self.store(node, at) for at, t in enumerate(node.output) if self.is_wide(t)]
                self.nodes.append(node)
                for pair in after:
                    self.nodes.extend(pair)
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def is_picked_from(self, node: onnx.NodeProto, tensor: str) -> bool:
        """Whether Gather takes rows of it, a large table in a file: rounded as they are stored, they are the same."""
        return node.op_type == "Gather" and tensor in self.weights and is_mapped(self.weights[tensor])

    def is_wide(self, tensor: str) -> bool:
        return bool(tensor) and self.dtypes[tensor] in WIDE

    def read(self, tensor: str) -> str:
        """Name under which a low node reads `tensor`."""
        if not self.is_wide(tensor) or tensor in self.stored_low:
            return tensor
        if tensor not in self.variants:
            name = self.names.fresh(f"{tensor}__{self.dtype}")
            if tensor in self.weights and not is_mapped(self.weights[tensor]):
                weight = _rounded(self.weights[tensor], name, self.dtype, self.digits_in is not None)
                self.graph.initializer.append(weight)
            else:
                self.nodes.extend(self.casts(tensor, name, WIDE[self.dtypes[tensor]]))
            self.variants[tensor] = name
        return self.variants[tensor]

    def store(self, node: onnx.NodeProto, index: int) -> list[onnx.NodeProto]:
        """Makes output `index` of a low node be stored rounded under its own name."""
        name = node.output[index]
        node.output[index] = self.names.fresh(f"{name}__full")
        return self.casts(node.output[index], name, WIDE[self.dtypes[name]])

    def casts(self, source: str, target: str, wide: int) -> list[onnx.NodeProto]:
        if self.digits_in is not None:
            return split_nodes(source, target, wide, self.dtype, self.names, self.digits_in)
        fresh = self.names.fresh
        middle = fresh(f"{target}__stored")
        return [
            helper.make_node("Cast", [source], [middle], fresh(f"{target}__round"), to=ONNX_TYPE[self.dtype]),
            helper.make_node("Cast", [middle], [target], fresh(f"{target}__widen"), to=wide),
        ]


def _rounded(weight: onnx.TensorProto, name: str, dtype: LowPrecision, any_size: bool) -> onnx.TensorProto:
    values = numpy_helper.to_array(weight)
    if any_size:
        return numpy_helper.from_array(split(values, dtype), name)
    with np.errstate(over="ignore"):
        return numpy_helper.from_array(values.astype(NUMPY_TYPE[dtype]).astype(values.dtype), name)
