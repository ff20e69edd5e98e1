"""Nodes that give other values in each process: random operators without a seed."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import numpy_helper

RANDOM = (
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)
"""Operators of ONNX that draw numbers whatever they are given; beside them only Dropout does, in training mode."""


def draws_anew(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    """Whether a node is random and has no seed.

    Args:
        constants: by tensor, see `constant_tensors`; Dropout is told by them to train, and how much it drops.
    """
    if node.domain not in ("", "ai.onnx") or any(a.name == "seed" for a in node.attribute):
        return False
    return node.op_type in RANDOM or (node.op_type == "Dropout" and _trains(node, constants))


def _trains(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    """Since opset 12 by an input; where it is none of the constants nobody can tell, and it is not taken to."""
    ratio, training = (constants.get(name) for name in (*node.input, "", "")[1:3])
    drops = ratio is None or bool(numpy_helper.to_array(ratio).any())
    return training is not None and bool(numpy_helper.to_array(training).any()) and drops
