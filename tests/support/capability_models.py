"""Models for what a parser takes and what not: the seeds' own, by name, with inputs for those that run somewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper
from seed_models import (
    clamped_gemm,
    conv_with_double_weights,
    gemm_that_does_not_fit,
    identity_add_identity,
    mnist,
    model_of,
    node,
    omitted_inputs,
    shape_arithmetic,
    unknown_operator,
    unsorted_with_dead_ends,
    value,
    weight,
    with_if,
)


def identity_nonzero_identity() -> onnx.ModelProto:
    """Seed 001-003 T3: Identity -> NonZero -> Identity."""
    return model_of(
        [
            node("Identity", ["x"], ["a"], "first"),
            node("NonZero", ["a"], ["b"], "n1"),
            node("Identity", ["b"], ["y"], "last"),
        ],
        [value("x", ["B", 3, 4])],
        [value("y", [3, "count"], TensorProto.INT64)],
    )


def custom_operator(op: str = "customOp2", domain: str = "custom_domain") -> onnx.ModelProto:
    """Seed 001-003 T4 (and T6, deform_conv2d): Relu -> an operator of a domain of its own -> Neg."""
    model = model_of(
        [
            node("Relu", ["x"], ["a"], "before"),
            helper.make_node(op, ["a"], ["b"], name="custom", domain=domain),
            node("Neg", ["b"], ["y"], "after"),
        ],
        [value("x", [5])],
        [value("y", [5])],
    )
    model.opset_import.add(domain=domain, version=1)
    return model


def custom_operator_traced() -> onnx.ModelProto:
    """Seed 001-003 T5: what customOp2 computes, in five plain nodes."""
    return model_of(
        [
            node("Clip", ["x", "zero"], ["r"], "clip"),
            node("Neg", ["r"], ["n"], "neg"),
            node("Exp", ["n"], ["e"], "exp"),
            node("Add", ["e", "one"], ["d"], "add"),
            node("Div", ["r", "d"], ["y"], "div"),
        ],
        [value("x", [5])],
        [value("y", [5])],
        [weight("zero", np.float32(0)), weight("one", np.float32(1))],
    )


def asinh() -> onnx.ModelProto:
    """Seed 001-003 T7."""
    return model_of([node("Asinh", ["x"], ["y"], "asinh")], [value("x", [5])], [value("y", [5])])


def linear() -> onnx.ModelProto:
    """Seed 001-003 T14: y = a * x + b, 10x10."""
    shape = [10, 10]
    return model_of(
        [node("Mul", ["a", "x"], ["ax"], "mul"), node("Add", ["ax", "b"], ["y"], "add")],
        [value(name, shape) for name in ("a", "x", "b")],
        [value("y", shape)],
    )


def global_lp_pool() -> onnx.ModelProto:
    """Seed 001-003 T16."""
    return model_of(
        [node("GlobalLpPool", ["x"], ["y"], "pool", p=2)],
        [value("x", [1, 3, 5, 5])],
        [value("y", [1, 3, 1, 1])],
    )


def branches_with_nonzero() -> onnx.ModelProto:
    """Two branches in turns in the file, NonZero in one of them; they meet at the end. Segments are not contiguous."""
    return model_of(
        [
            node("Relu", ["x"], ["a"], "stem"),
            node("NonZero", ["a"], ["where"], "nonzero"),
            node("Abs", ["a"], ["l1"], "left1"),
            node("Cast", ["where"], ["f"], "cast", to=TensorProto.FLOAT),
            node("Neg", ["l1"], ["l2"], "left2"),
            node("ReduceSum", ["f"], ["s"], "sum", keepdims=0),
            node("Add", ["l2", "s"], ["y"], "join"),
        ],
        [value("x", [2, 3])],
        [value("y", [2, 3])],
    )


def det_in_a_branch() -> onnx.ModelProto:
    """An If with a Det, which TensorRT does not know, in one branch; both branches read a tensor around them."""
    then = helper.make_graph([node("Det", ["a"], ["t"], "inner_det")], "then", [], [value("t", [])])
    otherwise = helper.make_graph(
        [node("ReduceSum", ["a"], ["e"], "inner_sum", keepdims=0)], "else", [], [value("e", [])]
    )
    return model_of(
        [
            node("Relu", ["x"], ["a"], "relu"),
            node("If", ["yes"], ["b"], "branch", then_branch=then, else_branch=otherwise),
            node("Neg", ["b"], ["y"], "neg"),
        ],
        [value("x", [2, 2])],
        [value("y", [])],
        [weight("yes", np.array(True))],
    )


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "asinh": asinh,
    "branches_with_nonzero": branches_with_nonzero,
    "clamped_gemm": clamped_gemm,
    "conv_with_double_weights": conv_with_double_weights,
    "custom_operator": custom_operator,
    "custom_operator_traced": custom_operator_traced,
    "deform_conv2d": lambda: custom_operator("deform_conv2d", "custom"),
    "det_in_a_branch": det_in_a_branch,
    "gemm_that_does_not_fit": gemm_that_does_not_fit,
    "global_lp_pool": global_lp_pool,
    "identity_add_identity": identity_add_identity,
    "identity_nonzero_identity": identity_nonzero_identity,
    "linear": linear,
    "mnist": mnist,
    "mnist_wrong_type": lambda: mnist(argmax=TensorProto.INT32),
    "omitted_inputs": omitted_inputs,
    "shape_arithmetic": shape_arithmetic,
    "unknown_operator": unknown_operator,
    "unsorted_with_dead_ends": unsorted_with_dead_ends,
    "with_if": with_if,
}

POLYGRAPHY = (
    "and",
    "bad_graph_conditionally_invalid",
    "capability",
    "custom_op_node",
    "instancenorm",
    "loop",
    "multi_attention",
    "needs_constraints",
    "nonzero",
    "qdq_conv",
    "reducable",
    "residual_block",
    "scan",
    "unbounded_dds",
)
"""Models of Polygraphy's tests, by the stems of their files."""
