"""Walks over what nests in an ONNX model: bodies of If/Loop/Scan, tensors in attributes and functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node holds in its attributes: branches of If, bodies of Loop and Scan."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def captured(node: onnx.NodeProto) -> tuple[str, ...]:
    """Tensors that the bodies of a node read from the graph around it, each once, in order of first use."""
    return tuple(dict.fromkeys(name for body in bodies(node) for name in _outer_reads(body)))


def _outer_reads(graph: onnx.GraphProto) -> Iterator[str]:
    known = {value.name for value in graph.input} | initializer_names(graph)
    known.update(output for node in graph.node for output in node.output)
    for node in graph.node:
        for name in (*node.input, *captured(node)):
            if name and name not in known:
                yield name
    # A body may hand an outer tensor straight to its output.
    for value in graph.output:
        if value.name not in known:
            yield value.name


def initializer_names(graph: onnx.GraphProto) -> set[str]:
    """Names of the graph's initialisers, dense and sparse."""
    return {tensor.name for tensor in graph.initializer} | {
        tensor.values.name for tensor in graph.sparse_initializer
    }


def fed_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Inputs that have to be fed: an initialiser among them, as all were up to IR version 3, has a value."""
    held = initializer_names(graph)
    return [value for value in graph.input if value.name not in held]


def rename_reads(graph: onnx.GraphProto, rename: Mapping[str, str]) -> None:
    """Renames what a body reads from outside, in place; names of its own stay."""
    own = {value.name for value in graph.input} | initializer_names(graph)
    own.update(output for node in graph.node for output in node.output)
    outer = {old: new for old, new in rename.items() if old not in own}
    for node in graph.node:
        for position, tensor in enumerate(node.input):
            node.input[position] = outer.get(tensor, tensor)
        for body in bodies(node):
            rename_reads(body, outer)
    for value in graph.output:
        value.name = outer.get(value.name, value.name)


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """These nodes and, after each, the nodes of its bodies."""
    for node in nodes:
        yield node
        for body in bodies(node):
            yield from all_nodes(body.node)


def model_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes of a model: of its graph, of its functions, and of bodies in these."""
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        yield from all_nodes(nodes)


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor stored in the model: initialisers and attributes, in bodies and functions too."""
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            elif attribute.type == onnx.AttributeProto.TENSORS:
                yield from attribute.tensors
            elif attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
                yield attribute.sparse_tensor.values
                yield attribute.sparse_tensor.indices
            elif attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graph_tensors(attribute.g)
            elif attribute.type == onnx.AttributeProto.GRAPHS:
                for body in attribute.graphs:
                    yield from _graph_tensors(body)
