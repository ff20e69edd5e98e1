"""Nodes replaced by bodies: ONNX functions that compute the same, of other operators.

ONNX itself has such a body for many operators; others can be written (`BodyDraft`). Nodes in bodies of If, Loop and
Scan are reached as well as those of the top level. Names of all other nodes and tensors, opsets and ir_version stay.
A CastLike of a body becomes a Cast where the type is known: TensorRT 8.6 takes none, and ONNX has none before opset 15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import defs, helper, inliner, numpy_helper

from trtdebug.graph.constants import constant_tensors, renamed
from trtdebug.graph.custom import kind_of
from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.mapped import values_of
from trtdebug.graph.names import name_nodes
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.types import Dim, TensorType, dtype_code, graph_types, infer, value_info
from trtdebug.graph.walk import all_nodes, bodies

_DOMAIN = "trtdebug.expanded"
_NEW = "trtdebug.new."
"""Starts the names of nodes in bodies until they get those that they keep."""


@dataclass(frozen=True)
class Call:
    """A node as whoever writes a body for it sees it.

    Attributes:
        opset: version of ONNX's own operators in the model.
        types: by tensor, as far as they are known. `constants`: tensors whose values stand in the model.
        holders: names of the nodes that hold it in their bodies, the outermost first; none for a node of the top level.
    """

    node: onnx.NodeProto
    opset: int
    types: Mapping[str, TensorType] = field(default_factory=dict)
    constants: Mapping[str, onnx.TensorProto] = field(default_factory=dict)
    holders: tuple[str, ...] = ()

    @property
    def op(self) -> str:
        """The operator; with its domain where it is none of ONNX's own."""
        domain, op = kind_of(self.node)
        return f"{domain}::{op}" if domain else op

    def has(self, position: int) -> bool:
        """Whether this input is given."""
        return position < len(self.node.input) and bool(self.node.input[position])

    def attribute(self, name: str, default: Any = None) -> Any:
        """Value of an attribute, `default` where it is not written."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def type(self, position: int) -> TensorType | None:
        """Type of an input."""
        return self.types.get(self.node.input[position]) if self.has(position) else None

    def dtype(self, position: int) -> str | None:
        """Element type of an input, named as in `TensorType`."""
        found = self.type(position)
        return None if found is None else found.dtype

    def shape(self, position: int) -> tuple[Dim, ...] | None:
        """Shape of an input as far as it is known; None where not even the rank is."""
        found = self.type(position)
        return None if found is None else found.shape

    def static_shape(self, position: int) -> tuple[int, ...] | None:
        """Shape of an input where every dimension is a number."""
        shape = self.shape(position) or ()
        sizes = tuple(size for size in shape if isinstance(size, int))
        return sizes if len(sizes) == len(shape) and self.shape(position) is not None else None

    def value(self, position: int) -> NDArray[Any] | None:
        """Value of an input whose value stands in the model."""
        found = self.constants.get(self.node.input[position]) if self.has(position) else None
        return None if found is None else values_of(found)


Bodies = Callable[[Call], Iterable[onnx.FunctionProto]]
"""Bodies for a node, the one to take first; none where it has to stay."""


class BodyDraft:
    """A body in the making.

    Attributes:
        inputs, outputs: what the body calls the node's inputs and outputs, at the same positions.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.inputs = tuple(f"in_{i}" for i in range(len(call.node.input)))
        self.outputs = tuple(f"out_{i}" for i in range(len(call.node.output)))
        self._nodes: list[onnx.NodeProto] = []

    def op(self, kind: str, *inputs: str, writes: str | None = None, **attributes: Any) -> str:
        """Adds a node; gives the name of the tensor that it writes: `writes`, or a new one."""
        output = writes or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Adds a constant; gives its name."""
        return self.op("Constant", value=numpy_helper.from_array(np.asarray(value)))

    def cast(self, tensor: str, dtype: str, writes: str | None = None) -> str:
        """Adds a Cast to this type, named as in `TensorType`."""
        return self.op("Cast", tensor, to=dtype_code(dtype), writes=writes)

    def done(self) -> onnx.FunctionProto:
        """The body."""
        opsets = [helper.make_opsetid("", self.call.opset)]
        return helper.make_function(_DOMAIN, "body", self.inputs, self.outputs, self._nodes, opsets)


def schema_bodies(call: Call) -> Iterator[onnx.FunctionProto]:
    """The bodies that ONNX itself has for an operator, those for the model's opset first."""
    domain, op = kind_of(call.node)
    if domain or not defs.has(op):
        return
    try:
        schema: Any = defs.get_schema(op, call.opset)  # its stubs lack much
    except defs.SchemaError:
        return
    versions = {*schema.function_opset_versions, *schema.context_dependent_function_opset_versions}
    for version in sorted(versions, key=lambda v: (v > call.opset, abs(v - call.opset))):
        body = _schema_body(schema, version, call)
        if body is not None and body.node:
            for opset in body.opset_import:
                if opset.domain == "":
                    opset.version = call.opset  # whether it is good there is checked before it is used
            yield body


def _schema_body(schema: Any, version: int, call: Call) -> onnx.FunctionProto | None:
    body = onnx.FunctionProto()
    if version in schema.function_opset_versions:
        body.ParseFromString(schema.get_function_with_opset_version(version))
        return body
    given = [call.type(i) for i in range(len(call.node.input))]
    if any(call.has(i) and known is None for i, known in enumerate(given)):
        return None
    types = [value_info("", known).type.SerializeToString() for known in given]
    node = call.node.SerializeToString()
    body.ParseFromString(schema.get_context_dependent_function_with_opset_version(version, node, types))
    return body


@dataclass(frozen=True)
class Expanded:
    """A model in which nodes were replaced by bodies.

    Attributes:
        calls: the nodes, as they were.
        left: nodes that were wanted, but have no body.
    """

    model: onnx.ModelProto
    calls: tuple[Call, ...]
    left: tuple[Call, ...] = ()


def calls_of(model: onnx.ModelProto) -> Iterator[Call]:
    """All nodes of a model, in bodies too: after each node those of its bodies. Nodes have to be named."""
    return _calls(model.graph.node, model)


def expand(
    model: onnx.ModelProto, wanted: Callable[[Call], bool], sources: Iterable[Bodies] = (schema_bodies,)
) -> Expanded | None:
    """A copy of the model, nodes named, where each wanted node that has a body is replaced by it; None where none is.

    A body has to be clean by ONNX's checker, and of the same types as the node; where it is not, the next one is taken.
    """
    named = onnx.ModelProto()
    named.CopyFrom(model)
    name_nodes(named)
    work = _weightless(named)
    calls: list[Call] = []
    left: list[Call] = []
    for call in list(_calls(work.graph.node, named)):
        body = next((b for s in sources for b in s(call) if _fits(b, call)), None) if wanted(call) else None
        if body is not None:
            calls.append(_frozen(call))
            _call(work, call.node, body, len(calls))
        elif wanted(call):
            left.append(call)
    if not calls:
        return None
    flat = inliner.inline_selected_functions(
        work, [(f.domain, f.name) for f in work.functions if f.domain == _DOMAIN]
    )
    result = onnx.ModelProto()
    result.CopyFrom(flat)
    kept = [o for o in result.opset_import if o.domain != _DOMAIN]
    del result.opset_import[:]
    result.opset_import.extend(kept)
    del result.graph.initializer[:]
    unread = set(GraphIndex(model).consumers) - set(
        GraphIndex(result).consumers
    )  # an unread initialiser was there before
    result.graph.initializer.extend(t for t in model.graph.initializer if t.name not in unread)
    _cast_plainly(result)
    _name_new(result, calls)
    return Expanded(result, tuple(calls), tuple(left))


def _weightless(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without the initialisers of the top level: it is handed on as bytes, of which there are 2 GB at most."""
    work = onnx.ModelProto(ir_version=model.ir_version)
    work.opset_import.extend(model.opset_import)
    work.functions.extend(model.functions)
    work.metadata_props.extend(model.metadata_props)
    work.producer_name, work.producer_version = model.producer_name, model.producer_version
    work.graph.name = model.graph.name
    for field_ in ("input", "output", "value_info", "sparse_initializer", "node"):
        getattr(work.graph, field_).extend(getattr(model.graph, field_))
    return work


def _calls(nodes: Iterable[onnx.NodeProto], model: onnx.ModelProto) -> Iterator[Call]:
    """Calls of these nodes, which are those of the model or a copy of them, and of those in their bodies."""
    opset = opset_of(model)
    inferred = infer(model)
    twins = {node.name: node for node in inferred.graph.node}
    types, constants = graph_types(inferred.graph), constant_tensors(model)
    for node in nodes:
        call = Call(node, opset, types, constants)
        yield call
        yield from _inner(node, twins.get(node.name), call)


def _inner(node: onnx.NodeProto, twin: onnx.NodeProto | None, around: Call) -> Iterator[Call]:
    theirs = list(bodies(twin)) if twin is not None else []
    for number, body in enumerate(bodies(node)):
        known = theirs[number] if number < len(theirs) else body
        own = onnx.ModelProto(graph=body)
        # a tensor of the body may have the name of one around it
        written = {t for n in body.node for t in n.output} | {v.name for v in body.input}
        types = {t: k for t, k in around.types.items() if t not in written} | graph_types(known)
        constants = {t: c for t, c in around.constants.items() if t not in written} | constant_tensors(own)
        for position, inner in enumerate(body.node):
            call = Call(inner, around.opset, types, constants, (*around.holders, node.name))
            yield call
            yield from _inner(inner, known.node[position], call)


def _frozen(call: Call) -> Call:
    """The same, with the node as it is now."""
    node = onnx.NodeProto()
    node.CopyFrom(call.node)
    return Call(node, call.opset, call.types, call.constants, call.holders)


def _call(work: onnx.ModelProto, node: onnx.NodeProto, body: onnx.FunctionProto, number: int) -> None:
    """Makes the node a call of this body, in place. What its attributes are by default is written down."""
    domain, op = kind_of(node)
    given = {attribute.name for attribute in node.attribute}
    if not domain and defs.has(op):
        for name, attribute in defs.get_schema(op, opset_of(work)).attributes.items():
            if name in body.attribute and name not in given and attribute.default_value.name:
                node.attribute.add().CopyFrom(attribute.default_value)
    function = work.functions.add()
    function.CopyFrom(body)
    function.domain, function.name = _DOMAIN, f"{op}_{number}"
    for position, inner in enumerate(all_nodes(function.node)):
        inner.name = f"{_NEW}{number}.{position}"
    if number == 1:
        work.opset_import.add(domain=_DOMAIN, version=1)
    known = {opset.domain for opset in work.opset_import}
    work.opset_import.extend(o for o in body.opset_import if o.domain not in known)
    node.domain, node.op_type, node.overload = _DOMAIN, function.name, ""


def _cast_plainly(model: onnx.ModelProto) -> None:
    """Makes Casts of the new CastLikes, in place: each may tell the type that the next one needs."""
    while any(_is_new_like(node) for node in all_nodes(model.graph.node)):
        likes = [call for call in _calls(model.graph.node, model) if _is_new_like(call.node)]
        known = [(call.node, dtype) for call in likes if (dtype := call.dtype(1)) is not None]
        if not known:
            return
        for node, dtype in known:
            node.op_type = "Cast"
            del node.input[1]
            node.attribute.append(helper.make_attribute("to", dtype_code(dtype)))


def _is_new_like(node: onnx.NodeProto) -> bool:
    return node.name.startswith(_NEW) and kind_of(node) == ("", "CastLike")


def _name_new(model: onnx.ModelProto, calls: list[Call]) -> None:
    names = FreshNames(n for n in names_in(model.graph) if not n.startswith(_NEW))
    for node in all_nodes(model.graph.node):
        if node.name.startswith(_NEW):
            call = calls[int(node.name.removeprefix(_NEW).partition(".")[0]) - 1]
            node.name = names.fresh(f"{call.node.name or call.node.output[0]}_{node.op_type}")


def _fits(body: onnx.FunctionProto, call: Call) -> bool:
    """Whether the body, in the node's place, is clean and gives the same types, as far as these are known."""
    if len(body.input) < len(call.node.input) or len(body.output) < len(call.node.output):
        return False
    types = {t: call.types.get(t) for t in (*call.node.input, *call.node.output) if t}
    if any(known is None or known.shape is None for known in types.values()):
        return True  # nothing to check it with; the rewritten model is run before anybody builds it
    read, written = (
        tuple(dict.fromkeys(t for t in names if t)) for names in (call.node.input, call.node.output)
    )
    graph = helper.make_graph(
        [call.node],
        "g",
        [value_info(t, types[t]) for t in read if t not in call.constants],
        [value_info(t, types[t]) for t in written],
        [renamed(call.constants[t], t) for t in read if t in call.constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", call.opset)], ir_version=10)
    _call(model, model.graph.node[0], body, 1)
    flat = inliner.inline_local_functions(model)
    _cast_plainly(flat)
    try:
        onnx.checker.check_model(flat, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True
