"""What the samples share: a small ONNX graph builder on onnx and numpy alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 8
"""Old enough for every onnxruntime and every TensorRT from 8.6 on; onnx's own default is too new for both."""


class Graph:
    """An ONNX graph in the making. A node and its output bear the same name.

    Args:
        name: name of the graph.
        opset: version of the default operator set.
        seed: of `random`, from which all weights come.
    """

    def __init__(self, name: str, opset: int = 17, seed: int = 0) -> None:
        self.name = name
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Adds a FP32 input; a string in `shape` is a dynamic axis."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
        return name

    def constant(self, name: str, value: Any) -> str:
        """Adds an initializer: FP32 for floats, INT64 for integers."""
        array = np.asarray(value)
        array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> str:
        """Adds a FP32 initializer with values of N(mean, scale^2)."""
        values: NDArray[np.float64] = self.random.normal(mean, scale, shape)
        return self.constant(name, values)

    def op(self, name: str, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds the node `name` of operator `kind` and returns the name of its only output, `name` again."""
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def linear(self, name: str, x: str, inner: int, outer: int, gain: float = 1.0, bias: bool = True) -> str:
        """Adds MatMul `name` (and Add `name`_bias) with weights that keep the scale of `x`, times `gain`."""
        weight = self.normal(f"{name}.weight", inner, outer, scale=gain / inner**0.5)
        y = self.op(name, "MatMul", x, weight)
        if not bias:
            return y
        return self.op(f"{name}_bias", "Add", y, self.normal(f"{name}.bias", outer, scale=0.1 * gain))

    def layer_norm(self, name: str, x: str, dim: int) -> str:
        """Adds a LayerNorm over the last axis as exporters below opset 17 write it: nine nodes `name`_*."""
        mean = self.op(f"{name}_mean", "ReduceMean", x, axes=[-1], keepdims=1)
        centre = self.op(f"{name}_centre", "Sub", x, mean)
        pow_ = self.op(f"{name}_pow", "Pow", centre, self.constant(f"{name}.two", 2.0))
        var = self.op(f"{name}_var", "ReduceMean", pow_, axes=[-1], keepdims=1)
        eps = self.op(f"{name}_eps", "Add", var, self.constant(f"{name}.epsilon", 1e-5))
        sqrt = self.op(f"{name}_sqrt", "Sqrt", eps)
        div = self.op(f"{name}_div", "Div", centre, sqrt)
        scaled = self.op(f"{name}_mul", "Mul", div, self.normal(f"{name}.gamma", dim, scale=0.1, mean=1.0))
        return self.op(f"{name}_add", "Add", scaled, self.normal(f"{name}.beta", dim, scale=0.1))

    def model(self, output: str, shape: Sequence[int | str]) -> onnx.ModelProto:
        """The checked model with the one FP32 output `output`."""
        graph = helper.make_graph(
            self._nodes,
            self.name,
            self._inputs,
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(shape))],
            self._weights,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(
            graph, producer_name="trtdebug-samples", opset_imports=opsets, ir_version=IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def write(build: Callable[[], onnx.ModelProto], summary: str | None) -> None:
    """Command line of a sample: writes `build()` to the file named there."""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("file", type=Path, help="the .onnx file to write")
    file: Path = parser.parse_args().file
    onnx.save(build(), file)
