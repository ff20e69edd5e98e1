"""Cuts a subgraph out of a model: chosen nodes with the weights they need, as a model of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from trtdebug.core.errors import UserError
from trtdebug.graph.constants import constant_tensors, renamed
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.types import TensorType, value_info


def extract(
    model: onnx.ModelProto,
    nodes: Iterable[str],
    types: Mapping[str, TensorType],
    outputs: Iterable[str] = (),
    constants: Mapping[str, NDArray[np.generic]] | None = None,
    index: GraphIndex | None = None,
) -> onnx.ModelProto:
    """The subgraph of exactly these nodes, in topological order; names, opsets and ir_version stay.

    Inputs are the tensors that the nodes read and none of them writes, bodies of If, Loop and Scan included.
    Initialisers stay initialisers; a Constant node outside the choice becomes one. Outputs are what the nodes
    write for others, for the graph's outputs or for nobody, and `outputs`.

    Args:
        nodes: names of nodes of the top-level graph, any order.
        types: of all inputs at least; what is known of other tensors is written down too.
        outputs: more tensors of these nodes to put out.
        constants: values of tensors that become initialisers instead of inputs (recorded shapes, say).
        index: of the model, where it is at hand.

    Raises:
        UserError: no nodes; a name that is no node; an output that none of the nodes writes; an input of
            unknown type.
    """
    index = index or GraphIndex(model)
    chosen = {index.node(name).name for name in nodes}
    if not chosen:
        raise UserError("There are no nodes to extract.", "Name at least one.")
    order = [name for name in index.order if name in chosen]
    written = dict.fromkeys(tensor for name in order for tensor in index.node(name).writes)
    read = dict.fromkeys(tensor for name in order for tensor in index.node(name).reads)
    outside = [tensor for tensor in read if tensor not in written]
    asked = set(outputs)
    if asked - written.keys():
        raise UserError(
            f"None of the nodes writes {min(asked - written.keys())!r}.",
            "Ask for a tensor that they write.",
        )

    fixed = {tensor: numpy_helper.from_array(array, tensor) for tensor, array in (constants or {}).items()}
    fixed = {**constant_tensors(model), **fixed}
    sparse = {tensor.values.name: tensor for tensor in model.graph.sparse_initializer}
    inputs = [tensor for tensor in outside if tensor not in fixed and tensor not in sparse]
    untyped = [tensor for tensor in inputs if tensor not in types]
    if untyped:
        raise UserError(
            f"The type of {untyped[0]!r}, an input of the subgraph, is unknown.",
            "Run the model once to record it, or take the node that writes it as well.",
        )

    protos = {node.name: proto for node, proto in zip(index.nodes, model.graph.node, strict=True)}
    cut = frame(model)
    graph = cut.graph
    for name in order:
        graph.node.add().CopyFrom(protos[name])
        graph.node[-1].name = name
    graph.input.extend(value_info(tensor, types[tensor]) for tensor in inputs)
    graph.initializer.extend(renamed(fixed[tensor], tensor) for tensor in outside if tensor in fixed)
    graph.sparse_initializer.extend(sparse[tensor] for tensor in outside if tensor in sparse)

    graph_outputs = frozenset(index.outputs)

    def leaves(tensor: str) -> bool:
        readers = index.consumers.get(tensor, ())
        return (
            tensor in asked
            or tensor in graph_outputs
            or not readers
            or any(reader not in chosen for reader in readers)
        )

    for tensor in written:
        if leaves(tensor):
            graph.output.append(value_info(tensor, types.get(tensor)))
        elif tensor in types:
            graph.value_info.append(value_info(tensor, types[tensor]))
    return cut


def frame(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without its graph's content: ir_version, opsets, functions, metadata, names."""
    empty = onnx.ModelProto(
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
        domain=model.domain,
        model_version=model.model_version,
        doc_string=model.doc_string,
    )
    empty.opset_import.extend(model.opset_import)
    empty.metadata_props.extend(model.metadata_props)
    empty.functions.extend(model.functions)
    empty.graph.name = model.graph.name or "graph"
    empty.graph.doc_string = model.graph.doc_string
    return empty
