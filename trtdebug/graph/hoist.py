"""What a node holds, as a model of its own: bodies of If, Loop and Scan, and local functions."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import inliner

from trtdebug.graph.constants import constant_tensors, renamed
from trtdebug.graph.extract import extract, frame
from trtdebug.graph.function_calls import give_defaults
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.names import name_nodes
from trtdebug.graph.types import TensorType, infer, value_info
from trtdebug.graph.walk import bodies, captured


def held_models(
    model: onnx.ModelProto, name: str, types: Mapping[str, TensorType]
) -> tuple[onnx.ModelProto, ...]:
    """A model of each body of a node, or of the local function that it calls; none where it holds nothing.

    What a body reads from around it becomes an input, or an initialiser where its value stands in the model. A
    called function is inlined, so that its nodes know the attributes and the types of this call. Nodes are named.

    Args:
        name: a node of the top-level graph.
        types: of the model's tensors. Where a body reads one without a type, it is left out.
    """
    node = next(
        n for n, known in zip(model.graph.node, GraphIndex(model).nodes, strict=True) if known.name == name
    )
    if (node.domain, node.op_type) in {(f.domain, f.name) for f in model.functions}:
        return (_inlined(extract(model, [name], types)),)
    # Shape inference says the types of what is in the bodies, given those around them.
    inferred = (
        next(n for n in infer(extract(model, [name], types)).graph.node if n.name == name)
        if any(True for _ in bodies(node))
        else node
    )
    found = (
        _hoisted(model, body, known, types)
        for body, known in zip(bodies(node), bodies(inferred), strict=True)
    )
    return tuple(m for m in found if m is not None)


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without calls; the model given is written to."""
    give_defaults(model)
    flat: onnx.ModelProto = inliner.inline_local_functions(model)
    name_nodes(flat)
    return flat


def _hoisted(
    model: onnx.ModelProto,
    body: onnx.GraphProto,
    inferred: onnx.GraphProto,
    types: Mapping[str, TensorType],
) -> onnx.ModelProto | None:
    holder = onnx.NodeProto()
    holder.attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.CopyFrom(body)
    outer = captured(holder)
    constants = constant_tensors(model)
    if any(t not in constants and t not in types for t in outer):
        return None
    hoisted = frame(model)
    graph = hoisted.graph
    graph.CopyFrom(body)
    graph.initializer.extend(renamed(constants[t], t) for t in outer if t in constants)
    graph.input.extend(value_info(t, types[t]) for t in outer if t not in constants)
    known = {v.name for v in (*graph.value_info, *graph.input, *graph.output)}
    graph.value_info.extend(v for v in inferred.value_info if v.name not in known)
    written = {t for n in graph.node for t in n.output}
    kept = [o for o in graph.output if o.name in written]  # what is handed through is nobody's work
    del graph.output[:]
    graph.output.extend(kept)
    if not graph.node:
        return None
    name_nodes(hoisted)
    return hoisted
