"""What the tests of cast surgery share: small models, their run, and the types that nodes compute in."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from trtdebug.graph.types import graph_types, infer, tensor_types
from trtdebug.graph.walk import bodies


def model_of(nodes, inputs, outputs, weights=(), opset=17) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value(n, t, s) for n, t, s in inputs],
        [value(n, t, s) for n, t, s in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model: onnx.ModelProto, feeds) -> dict[str, np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


def types_of(model: onnx.ModelProto) -> dict[str, str]:
    return {name: kind.dtype for name, kind in tensor_types(model).items()}


def compute_type(model: onnx.ModelProto, node_name: str) -> str:
    """Type of the node's first output, in a model that the checker accepts."""
    onnx.checker.check_model(model, full_check=True)
    node = next(n for n in model.graph.node if n.name == node_name)
    return types_of(model)[node.output[0]]


def assert_types(source: onnx.ModelProto, low: onnx.ModelProto, chosen: frozenset[str], narrow: str) -> None:
    """Float tensors of nodes in `chosen`, and of their bodies, are narrow; those of all other nodes are float32."""
    inferred, types = infer(low).graph, types_of(low)
    names = {n.name for n in source.graph.node}
    full = set()
    for node in inferred.node:
        if node.name not in names or node.op_type == "Shape":
            continue
        here = float_types(node, types)
        if node.op_type == "Resize" and node.name in chosen:
            here.discard("float32")  # its scales
        assert here <= ({narrow} if node.name in chosen else {"float32"}), node.name
        full |= here
    assert narrow in full


def float_types(node: onnx.NodeProto, around: dict[str, str]) -> set[str]:
    """Types of the float tensors that a node, and the nodes in its bodies, read and write; no Casts and Constants."""
    found = {around[t] for t in (*node.input, *node.output) if t}
    for body in bodies(node):
        types = around | {name: kind.dtype for name, kind in graph_types(body).items()}
        for inner in body.node:
            if inner.op_type not in ("Cast", "Constant"):
                found |= float_types(inner, types)
    return {kind for kind in found if "float" in kind}


def if_between() -> onnx.ModelProto:
    """relu -> If, whose branches read what relu gives and a weight -> sqrt."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["r", "w"], ["n"], "add")],
        "then",
        [],
        [helper.make_tensor_value_info("n", 1, [2])],
    )
    other = helper.make_graph(
        [helper.make_node("Constant", [], ["m"], "constant", value_floats=[0.25, 16.0])],
        "else",
        [],
        [helper.make_tensor_value_info("m", 1, [2])],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("If", ["c"], ["y"], "if", then_branch=branch, else_branch=other),
        helper.make_node("Sqrt", ["y"], ["z"], "sqrt"),
    ]
    inputs = [("x", 1, [2]), ("c", 9, [])]
    return model_of(nodes, inputs, [("z", 1, [2])], [("w", np.float32([1, 2]))])
