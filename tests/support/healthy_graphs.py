"""Healthy networks as people build them, up to 300 nodes deep, and the same ones with a fault planted.

Scales are kept as trained networks keep them: He and Glorot weights, residual streams, normalisation. In FP16
they only round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FAMILIES = ("convolution", "attention", "softmax", "layer_norm")
FAULTS = ("overflow", "negated", "zeroed channel", "vanishing")
SIZES = (20, 60, 120, 200, 300)

_WIDTH, _TOKENS, _CHANNELS = 16, 8, 8


def healthy_graph(family: str, seed: int, size: int) -> onnx.ModelProto:
    """A network of at least `size` nodes, input x (see `sample`), output y."""
    return _Grower(np.random.default_rng([FAMILIES.index(family), seed]), family, size).grow()


def faulty_graph(family: str, seed: int, size: int, fault: str) -> onnx.ModelProto:
    """The same network, its weights included, with a fault in the middle of its main stream.

    `overflow` and `vanishing` only show in FP16; the other two are kernels that compute something else.
    """
    return _Grower(np.random.default_rng([FAMILIES.index(family), seed]), family, size, fault).grow()


def sample(family: str, seed: int) -> dict[str, np.ndarray]:
    shape = (1, _CHANNELS, 8, 8) if family == "convolution" else (2, _TOKENS, _WIDTH)
    return {"x": np.random.default_rng([7, seed]).standard_normal(shape).astype(np.float32)}


@dataclass
class _Grower:
    rng: np.random.Generator
    family: str
    size: int
    fault: str = ""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def grow(self) -> onnx.ModelProto:
        block = getattr(self, self.family)
        stream, planted = "x", not self.fault
        while len(self.nodes) < self.size:
            stream = block(stream)
            if not planted and len(self.nodes) >= self.size / 2:
                stream, planted = self.broken(stream), True
        self.node("Identity", [self.head(stream)], name="y")
        shape = list(sample(self.family, 0)["x"].shape)
        graph = helper.make_graph(
            self.nodes,
            self.family,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    # blocks: each takes the main stream and gives it back at about the same scale ---------------------------

    def convolution(self, x: str) -> str:
        y = self.node("Relu", [self.scaled_shifted(self.conv(x))])
        y = self.scaled_shifted(self.conv(y))
        return self.node("Relu", [self.scaled(self.node("Add", [x, y]), 0.75)])

    def conv(self, x: str) -> str:
        kernel = self.rng.standard_normal((_CHANNELS, _CHANNELS, 3, 3)) * np.sqrt(2 / (9 * _CHANNELS))
        bias = self.rng.standard_normal(_CHANNELS) * 0.1
        return self.node("Conv", [x, self.weight(kernel), self.weight(bias)], pads=[1, 1, 1, 1])

    def scaled_shifted(self, x: str) -> str:
        """Batch normalisation as exported for inference."""
        scale, shift = (
            self.rng.uniform(0.7, 1.2, (_CHANNELS, 1, 1)),
            self.rng.standard_normal((_CHANNELS, 1, 1)),
        )
        return self.node("Add", [self.node("Mul", [x, self.weight(scale)]), self.weight(shift * 0.1)])

    def attention(self, x: str) -> str:
        normed = self.norm(x)
        q, k, v = (self.linear(normed) for _ in range(3))
        scores = self.scaled(
            self.node("MatMul", [q, self.node("Transpose", [k], perm=[0, 2, 1])]), _WIDTH**-0.5
        )
        mixed = self.node("MatMul", [self.node("Softmax", [scores], axis=-1), v])
        x = self.node("Add", [x, self.linear(mixed)])
        return self.node("Add", [x, self.linear(self.gelu(self.linear(self.norm(x))))])

    def gelu(self, x: str) -> str:
        erf = self.node("Erf", [self.scaled(x, 2**-0.5)])
        return self.scaled(self.node("Mul", [x, self.node("Add", [erf, self.weight(1.0)])]), 0.5)

    def softmax(self, x: str) -> str:
        """A gate: where the softmax points, the stream is turned; normalised so that it keeps its scale."""
        gate = self.node("Softmax", [self.linear(x)], axis=-1)
        turned = self.node("Tanh", [self.linear(self.node("Mul", [x, gate]))])
        return self.scaled(self.node("Add", [x, turned]), 0.9)

    def layer_norm(self, x: str) -> str:
        return self.node("Add", [self.norm_by_hand(x), self.node("Sigmoid", [self.linear(x)])])

    def norm_by_hand(self, x: str) -> str:
        """Layer normalisation as exported before opset 17."""
        centred = self.node("Sub", [x, self.node("ReduceMean", [x], axes=[-1])])
        variance = self.node("ReduceMean", [self.node("Mul", [centred, centred])], axes=[-1])
        deviation = self.node("Sqrt", [self.node("Add", [variance, self.weight(1e-5)])])
        return self.node("Mul", [self.node("Div", [centred, deviation]), self.around_one()])

    def norm(self, x: str) -> str:
        zero = self.weight(self.rng.standard_normal(_WIDTH) * 0.1)
        return self.node("LayerNormalization", [x, self.around_one(), zero])

    def around_one(self) -> str:
        return self.weight(self.rng.uniform(0.8, 1.2, _WIDTH))

    def linear(self, x: str) -> str:
        w = self.weight(self.rng.standard_normal((_WIDTH, _WIDTH)) / np.sqrt(_WIDTH))
        return self.node(
            "Add", [self.node("MatMul", [x, w]), self.weight(self.rng.standard_normal(_WIDTH) * 0.1)]
        )

    def head(self, x: str) -> str:
        """What networks end with: features, logits or probabilities."""
        kind = self.rng.choice(["features", "logits", "probabilities"])
        if kind == "features":
            return x
        if self.family == "convolution":
            x = self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        inner = _CHANNELS if self.family == "convolution" else _WIDTH
        logits = self.node("MatMul", [x, self.weight(self.rng.standard_normal((inner, 10)))])
        return self.node("Softmax", [logits], axis=-1) if kind == "probabilities" else logits

    def broken(self, x: str) -> str:
        if self.fault == "overflow":
            return self.scaled(self.scaled(x, 1e5), 1e-5)
        if self.fault == "vanishing":
            return self.scaled(self.scaled(self.scaled(x, 1e-8), 1e4), 1e4)
        if self.fault == "negated":
            return self.node("Neg", [x])
        mask = np.ones((_CHANNELS, 1, 1) if self.family == "convolution" else (_WIDTH,))
        mask[3] = 0
        return self.node("Mul", [x, self.weight(mask)])

    def scaled(self, x: str, factor: float) -> str:
        return self.node("Mul", [x, self.weight(factor)])

    def weight(self, value: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        number = len(self.nodes)
        output = name or f"t{number}"
        self.nodes.append(helper.make_node(op, inputs, [output], f"{op.lower()}_{number}", **attributes))
        return output
