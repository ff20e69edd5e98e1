"""Small models that the tests share; a builder each. Written for onnxruntime: IR 8, opset 13."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR = 8

Dims = Sequence["int | str | None"] | None


def value(name: str, shape: Dims, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A tensor's declaration; `shape` None leaves it open."""
    return helper.make_tensor_value_info(name, dtype, shape)


def weight(name: str, array: np.ndarray | float | Sequence[int]) -> onnx.TensorProto:
    """An initialiser: Python floats become float32, integers int64."""
    array = np.asarray(array)
    if array.dtype == np.float64 and not isinstance(array, np.generic):
        array = array.astype(np.float32)
    return numpy_helper.from_array(array, name)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    *,
    opset: int = OPSET,
    ir: int = IR,
) -> onnx.ModelProto:
    """A model of these parts, not checked: many are wrong on purpose."""
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def node(
    op: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **attributes: object
) -> onnx.NodeProto:
    """A node; `name` may stay empty."""
    return helper.make_node(op, list(inputs), list(outputs), name=name, **attributes)


def identity_add_identity(op: str = "Add") -> onnx.ModelProto:
    """Seed models 02-02, 04-01 (op Add), 04-02 (op Sub) and 08-01: Identity -> x op 1 -> Identity."""
    return model_of(
        [
            node("Identity", ["tensor0"], ["tensor1"], "myIdentity0"),
            node(op, ["tensor1", "constant0"], ["tensor2"], f"my{op}"),
            node("Identity", ["tensor2"], ["tensor3"], "myIdentity1"),
        ],
        [value("tensor0", ["B", 3, 64, 64])],
        [value("tensor3", None)],
        [weight("constant0", np.array([1], np.float32))],
    )


def identity_identity() -> onnx.ModelProto:
    """Seed model 03-02: as `identity_add_identity`, the Add removed."""
    return model_of(
        [
            node("Identity", ["tensor0"], ["tensor1"], "myIdentity0"),
            node("Identity", ["tensor1"], ["tensor3"], "myIdentity1"),
        ],
        [value("tensor0", ["B", 3, 64, 64])],
        [value("tensor3", None)],
    )


def unsorted_with_dead_ends() -> onnx.ModelProto:
    """Seed model 06-01: unsorted, a chain of constants, dead input tensor3, output tensor4 without a writer.

    tensor2 = (tensor0 + w + w) + (w + w + w), with w = 1 and three useless Adds.
    """
    return model_of(
        [
            node("Add", ["tensor5", "w"], ["tensor6"], "myAdd4"),  # dead, and reads what is written later
            node("Add", ["w", "w"], ["tensor7"], "myAdd0"),
            node("Add", ["tensor7", "w"], ["tensor8"], "myAdd1"),
            node("Add", ["tensor1", "w"], ["tensor2"], "myAdd3"),
            node("Add", ["tensor0", "tensor8"], ["tensor1"], "myAdd2"),
            node("Identity", ["w"], ["tensor5"], "myIdentity5"),
        ],
        [value("tensor0", ["B", 3, 64, 64]), value("tensor3", ["B", 3, 64, 64])],
        [value("tensor2", None), value("tensor4", None)],
        [weight("w", np.ones(1, np.float32))],
    )


def shape_arithmetic() -> onnx.ModelProto:
    """Seed model 07-01: tensor0 [A,3,B,5] -> tensor3, flat, and tensor8, (A, 3, B*5), by shape arithmetic."""
    return model_of(
        [
            node("Shape", ["tensor0"], ["tensor1"], "myShape"),
            node("ReduceProd", ["tensor1"], ["tensor2"], "myReduceProd0", axes=[0], keepdims=1),
            node("Reshape", ["tensor0", "tensor2"], ["tensor3"], "myReshape0"),
            node("Gather", ["tensor1", "constant0"], ["tensor4"], "myGather0"),
            node("Gather", ["tensor1", "constant1"], ["tensor5"], "myGather1"),
            node("ReduceProd", ["tensor5"], ["tensor6"], "myReduceProd1", axes=[0], keepdims=1),
            node("Concat", ["tensor4", "tensor6"], ["tensor7"], "myConcat", axis=0),
            node("Reshape", ["tensor0", "tensor7"], ["tensor8"], "myReshape1"),
        ],
        [value("tensor0", ["A", 3, "B", 5])],
        [value("tensor3", None), value("tensor8", None)],
        [weight("constant0", np.array([0, 1])), weight("constant1", np.array([2, 3]))],
    )


def clamped_gemm(bias: float = 0.5) -> onnx.ModelProto:
    """Seed model 09-01: a Gemm whose result is clamped to the constant 3."""
    return model_of(
        [
            node("Gemm", ["ones", "tensor0"], ["gemm"], "myGemm_0", transB=1),
            node("Add", ["gemm", "bias"], ["add"], "myAdd_2"),
            node("Relu", ["add"], ["relu"], "myRelu_4"),
            node("Mul", ["relu", "one"], ["mul"], "myMul_6"),
            node("Min", ["mul", "three"], ["min"], "myMin_8"),
            node("Max", ["min", "minus_three"], ["myMax_10"], "myMax_10"),
        ],
        [value("tensor0", [64, 64])],
        [value("myMax_10", [64, 64])],
        [
            weight("ones", np.ones((64, 64), np.float32)),
            weight("bias", np.full((64, 64), bias, np.float32)),
            weight("one", np.ones((64, 64), np.float32)),
            weight("three", np.full(1, 3, np.float32)),
            weight("minus_three", np.full(1, -3, np.float32)),
        ],
    )


def mnist(*, argmax: int = TensorProto.INT64, colon_names: bool = False, seed: int = 0) -> onnx.ModelProto:
    """Seed model 05: an MNIST CNN of 15 nodes with seeded weights.

    Args:
        argmax: declared type of the output; the seed says INT32, which is wrong.
        colon_names: call input and output x:0 and z:0, as TensorFlow does.
    """
    random = np.random.RandomState(seed)

    def weights(*shape: int) -> np.ndarray:
        return (random.random_sample(shape) * 2 - 1).astype(np.float32)

    first, last = ("x:0", "z:0") if colon_names else ("tensor-0", "tensor-15")
    return model_of(
        [
            node("Conv", [first, "w1", "b1"], ["tensor-1"], "Conv-1", pads=[2, 2, 2, 2]),
            node("Relu", ["tensor-1"], ["tensor-2"], "ReLU-2"),
            node("MaxPool", ["tensor-2"], ["tensor-3"], "MaxPool-3", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", ["tensor-3", "w4", "b4"], ["tensor-4"], "Conv-4", pads=[2, 2, 2, 2]),
            node("Relu", ["tensor-4"], ["tensor-5"], "ReLU-5"),
            node("MaxPool", ["tensor-5"], ["tensor-6"], "MaxPool-6", kernel_shape=[2, 2], strides=[2, 2]),
            node("Transpose", ["tensor-6"], ["tensor-7"], "Transpose-7", perm=[0, 2, 3, 1]),
            node("Reshape", ["tensor-7", "shape"], ["tensor-8"], "Reshape-7"),
            node("MatMul", ["tensor-8", "w9"], ["tensor-9"], "MatMul-9"),
            node("Add", ["tensor-9", "b10"], ["tensor-10"], "Add-10"),
            node("Relu", ["tensor-10"], ["tensor-11"], "ReLU-11"),
            node("MatMul", ["tensor-11", "w12"], ["tensor-12"], "MatMul-12"),
            node("Add", ["tensor-12", "b13"], ["tensor-13"], "Add-13"),
            node("Softmax", ["tensor-13"], ["tensor-14"], "Softmax-14", axis=1),
            node("ArgMax", ["tensor-14"], [last], "ArgMax-15", axis=1, keepdims=0),
        ],
        [value(first, ["B", 1, 28, 28])],
        [value(last, ["B"], argmax)],
        [
            weight("w1", weights(32, 1, 5, 5)),
            weight("b1", weights(32)),
            weight("w4", weights(64, 32, 5, 5)),
            weight("b4", weights(64)),
            weight("shape", np.array([-1, 7 * 7 * 64])),
            weight("w9", weights(7 * 7 * 64, 1024)),
            weight("b10", weights(1, 1024)),
            weight("w12", weights(1024, 10)),
            weight("b13", weights(1, 10)),
        ],
    )


def conv_with_double_weights() -> onnx.ModelProto:
    """Seed 001-003, T12: a Conv whose weights are float64 on a float32 input."""
    return model_of(
        [node("Conv", ["x", "W"], ["y"], "conv")],
        [value("x", [1, 3, 8, 8])],
        [value("y", None)],
        [numpy_helper.from_array(np.ones((5, 3, 3, 3)), "W")],
    )


def gemm_that_does_not_fit(trans_b: int = 1) -> onnx.ModelProto:
    """Seed 001-003, T13: (64,64) x (64,32), wrong with transB=1 at node_1; onnxruntime blames Add node_3."""
    random = np.random.RandomState(0)
    return model_of(
        [
            node("Gemm", ["x", "A"], ["gemm"], "node_1", transB=trans_b),
            node("Add", ["gemm", "B"], ["y"], "node_3"),
        ],
        [value("x", [64, 64])],
        [value("y", None)],
        [
            weight("A", random.randn(64, 32).astype(np.float32)),
            weight("B", random.randn(64, 32).astype(np.float32)),
        ],
    )


def unknown_operator() -> onnx.ModelProto:
    """Seed T14: Identity -> UnknownNode -> Identity."""
    return model_of(
        [
            node("Identity", ["x"], ["a"], "first"),
            node("UnknownNode", ["a"], ["b"], "unknown"),
            node("Identity", ["b"], ["y"], "last"),
        ],
        [value("x", [1, 3, 5, 5])],
        [value("y", [1, 3, 5, 5])],
    )


def with_if() -> onnx.ModelProto:
    """y = 2x + a if sum(2x) > 0 else 2x - b; the branches read `a`, `b` and 2x from around them."""
    then = helper.make_graph(
        [node("Add", ["doubled", "a"], ["then_y"], "then_add")], "then", [], [value("then_y", None)]
    )
    otherwise = helper.make_graph(
        [node("Sub", ["doubled", "b"], ["else_y"], "else_sub")], "else", [], [value("else_y", None)]
    )
    return model_of(
        [
            node("Add", ["x", "x"], ["doubled"], "double"),
            node("ReduceSum", ["doubled"], ["sum"], "sum", keepdims=0),
            node("Greater", ["sum", "zero"], ["positive"], "greater"),
            node("If", ["positive"], ["y"], "branch", then_branch=then, else_branch=otherwise),
        ],
        [value("x", ["N"])],
        [value("y", ["N"])],
        [
            weight("a", np.array(10, np.float32)),
            weight("b", np.array(20, np.float32)),
            weight("zero", np.array(0, np.float32)),
        ],
    )


def omitted_inputs() -> onnx.ModelProto:
    """Clip with an omitted minimum between two Relus."""
    return model_of(
        [
            node("Relu", ["x"], ["a"], "relu"),
            node("Clip", ["a", "", "high"], ["b"], "clip"),
            node("Neg", ["b"], ["y"], "neg"),
        ],
        [value("x", [4])],
        [value("y", [4])],
        [weight("high", np.array(0.5, np.float32))],
    )
