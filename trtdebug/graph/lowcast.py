"""Cast surgery: a model in which chosen nodes really compute in float16 or bfloat16, all others in float32.

This is how precision is said to a strongly typed TensorRT (by choice in 10.x, always in 11). A tensor keeps
its own name for its float32 form; the low form is called `<tensor>__fp16` (`__bf16`) and exists only where
somebody needs it. So graph inputs and outputs, and what bodies of nodes in float32 capture, keep their names
and types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.core.errors import UserError
from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.constants import constant_value
from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.lowtypes import (
    BODY_OUTPUT_OFFSET,
    NUMPY_TYPE,
    ONNX_TYPE,
    TYPE_BLIND,
    Slots,
    body_types,
    low_slots,
)
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import graph_types, infer
from trtdebug.graph.walk import bodies, captured


@dataclass(frozen=True)
class Lowering:
    """Which nodes `mixed_precision` can lower.

    Attributes:
        low: top-level nodes that compute in the low precision.
        refused: top-level node -> why it stays in float32.
        inside: low If, Loop or Scan -> the nodes of its bodies that stay in float32 nonetheless, and why.
            A nameless one is told by what it computes ("Range of 'y'"). Constants and nodes without a float32
            tensor are not told.
    """

    low: frozenset[str]
    refused: Mapping[str, str]
    inside: Mapping[str, Mapping[str, str]]


def mixed_precision(model: onnx.ModelProto, low: Iterable[str], dtype: LowPrecision) -> onnx.ModelProto:
    """A copy of `model` in which the nodes of `low` compute in `dtype` and all others in float32.

    Low nodes read float32 tensors through Casts (one a tensor) and weights converted; beyond the range of
    `dtype` both become Inf. If, Loop or Scan in `low` stand for their bodies: what goes in and out of a body
    is low, and every node in there that can be. Nodes that cannot work in `dtype` (see `lowering`) stay in
    float32. Tensors that are not float32 in `model` are left as they are. Nodes keep their names and stand in
    topological order; names, types and order of graph inputs and outputs, opset and IR version stay.

    Args:
        model: nodes named.
        low: node names of the top-level graph.

    Raises:
        UserError: a name of `low` is no node of the graph.
    """
    chosen = lowerable(model, low, dtype)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    surgery = _Surgery(dtype, opset_of(model), FreshNames(names_in(copy.graph)))
    inferred = infer(model).graph
    typed = {n.name: n for n in inferred.node}
    by_name = {n.name: n for n in copy.graph.node}
    types = {name: type_.dtype for name, type_ in graph_types(inferred).items()}
    scope = _Scope(surgery, copy.graph, types)
    for name in GraphIndex(copy).order:
        scope.add(by_name[name], typed[name], name in chosen)
    scope.finish()
    return copy


def lowerable(model: onnx.ModelProto, nodes: Iterable[str], dtype: LowPrecision) -> frozenset[str]:
    """Those of `nodes` that compute in `dtype` after `mixed_precision`; raises what `lowering` raises."""
    return lowering(model, nodes, dtype).low


def lowering(model: onnx.ModelProto, nodes: Iterable[str], dtype: LowPrecision) -> Lowering:
    """Which of `nodes` can compute in `dtype`, and why the others cannot.

    They cannot: constants (their readers get them converted), nodes without a float32 tensor, quantisation,
    generators, ops that ONNX does not define for `dtype` in the model's opset, ops of other domains, ops with
    a tensor of unknown type.

    Raises:
        UserError: a name of `nodes` is no node of the graph.
    """
    wanted = set(nodes)
    missing = wanted - {n.name for n in model.graph.node}
    if missing:
        raise UserError(
            f"no node named {sorted(missing)[0]!r} in the model's top-level graph.",
            "`trtdebug inspect MODEL` lists the names.",
        )
    inferred = infer(model).graph
    types = {name: type_.dtype for name, type_ in graph_types(inferred).items()}
    opset = opset_of(model)
    refused: dict[str, str] = {}
    inside: dict[str, Mapping[str, str]] = {}
    for node in inferred.node:
        if node.name in wanted:
            reason = low_slots(node, node, types, opset, dtype).reason
            if reason:
                refused[node.name] = reason
            elif left := _left_in_bodies(node, types, opset, dtype):
                inside[node.name] = left
    return Lowering(frozenset(wanted - set(refused)), refused, inside)


def _left_in_bodies(
    node: onnx.NodeProto, around: Mapping[str, str], opset: int, dtype: LowPrecision
) -> dict[str, str]:
    """Float nodes of the bodies of a low node that stay in float32 -> why. `node` is as inferred."""
    found: dict[str, str] = {}
    for body in bodies(node):
        types = body_types(node, body, around)
        for inner in body.node:
            reason = low_slots(inner, inner, types, opset, dtype).reason
            if not reason:
                found |= _left_in_bodies(inner, types, opset, dtype)
            elif inner.op_type not in ("Constant", *TYPE_BLIND) and _may_be_float(inner, types):
                found[inner.name or f"{inner.op_type} of {next(iter(inner.output), '')!r}"] = reason
    return found


def _may_be_float(node: onnx.NodeProto, types: Mapping[str, str]) -> bool:
    return any(
        types.get(t, "float32") == "float32" for t in (*node.input, *node.output, *captured(node)) if t
    )


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The float32 value of a Constant node; None for other nodes and types."""
    value = constant_value(node) if node.op_type == "Constant" else None
    return value if value is not None and value.data_type == TensorProto.FLOAT else None


@dataclass(frozen=True)
class _Surgery:
    """What all graphs of a model share."""

    dtype: LowPrecision
    opset: int
    names: FreshNames

    def slots(self, node: onnx.NodeProto, typed: onnx.NodeProto, types: Mapping[str, str]) -> Slots:
        return low_slots(node, typed, types, self.opset, self.dtype)

    def low_name(self, tensor: str) -> str:
        return self.names.fresh(f"{tensor}__{self.dtype}")

    def converted(self, weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
        with np.errstate(over="ignore"):
            values = numpy_helper.to_array(weight).astype(NUMPY_TYPE[self.dtype])
        raw = values.view(np.uint16).astype("<u2").tobytes()
        return TensorProto(name=name, dims=values.shape, data_type=ONNX_TYPE[self.dtype], raw_data=raw)


class _Scope:
    """One graph while it is rewritten in place, its nodes added one by one; the graphs in it are scopes of their own.

    What a body reads from around it, it reads in the form that it needs, which is made where the tensor is.
    """

    def __init__(
        self,
        surgery: _Surgery,
        graph: onnx.GraphProto,
        types: Mapping[str, str],
        around: _Scope | None = None,
    ) -> None:
        self.surgery, self.graph, self.types, self.around = surgery, graph, types, around
        self.source = list(graph.node)
        fed = {i.name for i in graph.input}
        self.weights = {i.name: i for i in graph.initializer if i.name not in fed}
        held = ((n.output[0], _constant(n)) for n in self.source if n.op_type == "Constant")
        self.constants = {name: value for name, value in held if value is not None}
        self.full = fed | {i.name for i in graph.initializer}
        self.full |= {s.values.name for s in graph.sparse_initializer}
        self.own = self.full | {name for n in self.source for name in n.output}
        self.low_form: dict[str, str] = {}
        self.new_weights: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []

    def add(self, node: onnx.NodeProto, typed: onnx.NodeProto, low: bool) -> None:
        """Adds a node of the graph. `typed`: the same node after inference."""
        if low:
            self.lower(node, typed)
        elif node.op_type in TYPE_BLIND:
            self.keep(node, [self.any_form(name) for name in node.input])
        else:
            for name in (*node.input, *captured(node)):
                self.read_full(name)
            self.keep(node, node.input)

    def keep(self, node: onnx.NodeProto, inputs: Iterable[str]) -> None:
        node.input[:] = list(inputs)
        self.nodes.append(node)
        self.full.update(node.output)

    def lower(self, node: onnx.NodeProto, typed: onnx.NodeProto) -> None:
        slots = self.surgery.slots(node, typed, self.types)
        for index, name in enumerate(node.input):
            if index in slots.inputs:
                node.input[index] = self.read_low(name)
            else:
                self.read_full(name)
        for body, typed_body in zip(bodies(node), bodies(typed), strict=True):
            self.lower_body(node, body, typed, typed_body, slots)
        for index, name in enumerate(node.output):
            if name and index in slots.outputs:
                self.low_form[name] = self.surgery.low_name(name)
                node.output[index] = self.low_form[name]
            else:
                self.full.add(name)
        if slots.outputs:
            self.retype_attributes(node)
        self.nodes.append(node)

    def lower_body(
        self,
        node: onnx.NodeProto,
        body: onnx.GraphProto,
        typed: onnx.NodeProto,
        typed_body: onnx.GraphProto,
        slots: Slots,
    ) -> None:
        inner = _Scope(self.surgery, body, body_types(typed, typed_body, self.types), self)
        inner.take_low(slots.inputs)
        for nested, typed_nested in zip(inner.source, typed_body.node, strict=True):
            low = not self.surgery.slots(nested, typed_nested, inner.types).reason
            inner.add(nested, typed_nested, low)
        offset = BODY_OUTPUT_OFFSET[node.op_type]
        inner.finish(frozenset(index + offset for index in slots.outputs))

    def take_low(self, inputs: Iterable[int]) -> None:
        """Makes inputs of a body low."""
        for index in inputs:
            name = self.graph.input[index].name
            self.low_form[name] = self.surgery.low_name(name)
            self.full.discard(name)
            self.retype(self.graph.input[index], self.low_form[name])

    def finish(self, low_outputs: frozenset[int] = frozenset()) -> None:
        """Makes outputs what they have to be, and the graph what was gathered."""
        for index, output in enumerate(self.graph.output):
            if index in low_outputs:
                self.retype(output, self.read_low(output.name))
            else:
                self.read_full(output.name)
        self.finish_weights()
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        alive = {name for n in self.nodes for name in (*n.input, *n.output)}
        kept = [v for v in self.graph.value_info if v.name in alive]
        del self.graph.value_info[:]
        self.graph.value_info.extend(kept)

    def finish_weights(self) -> None:
        """Adds the converted weights and drops the float32 ones that nobody reads any more."""
        read = {name for n in self.nodes for name in (*n.input, *captured(n))}
        read |= {o.name for o in self.graph.output}
        gone = {name for name in self.low_form if name not in read}
        self.nodes = [n for n in self.nodes if not (n.op_type == "Constant" and n.output[0] in gone)]
        kept = [w for w in self.graph.initializer if not (w.name in gone and w.name in self.weights)]
        del self.graph.initializer[:]
        self.graph.initializer.extend([*kept, *self.new_weights])

    def retype(self, value: onnx.ValueInfoProto, name: str) -> None:
        value.name = name
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.elem_type = ONNX_TYPE[self.surgery.dtype]

    def retype_attributes(self, node: onnx.NodeProto) -> None:
        """Ops whose output type stands in an attribute."""
        if node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.name == "to":
                    attribute.i = ONNX_TYPE[self.surgery.dtype]
        elif node.op_type == "ConstantOfShape":
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            filled = numpy_helper.from_array(np.zeros(1, np.float32)) if value is None else value
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("value", self.surgery.converted(filled, filled.name)))

    def read_low(self, name: str) -> str:
        """Name of the low form of a tensor, made now if it does not exist yet."""
        if name not in self.own and self.around is not None:
            return self.around.read_low(name)
        if name not in self.low_form:
            low = self.low_form[name] = self.surgery.low_name(name)
            if name in self.weights:
                self.new_weights.append(self.surgery.converted(self.weights[name], low))
            elif name in self.constants:
                value = self.surgery.converted(self.constants[name], low)
                self.nodes.append(helper.make_node("Constant", [], [low], self.fresh_node(low), value=value))
            else:
                self.cast(name, low, ONNX_TYPE[self.surgery.dtype])
        return self.low_form[name]

    def read_full(self, name: str) -> None:
        """Sees to it that the float32 form of a tensor exists."""
        if name not in self.own and self.around is not None:
            self.around.read_full(name)
        elif name and name not in self.full and name in self.low_form:
            self.cast(self.low_form[name], name, TensorProto.FLOAT)
            self.full.add(name)

    def any_form(self, name: str) -> str:
        """A form of the tensor that exists already."""
        if name not in self.own and self.around is not None:
            return self.around.any_form(name)
        return name if name in self.full else self.low_form.get(name, name)

    def cast(self, source: str, target: str, to: int) -> None:
        self.nodes.append(helper.make_node("Cast", [source], [target], self.fresh_node(target), to=to))

    def fresh_node(self, tensor: str) -> str:
        return self.surgery.names.fresh(f"cast_{tensor}")
