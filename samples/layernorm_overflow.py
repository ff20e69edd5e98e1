"""The demo: a small MLP with one decomposed LayerNorm that overflows FP16.

The second linear has large weights, so that what it gives has an RMS of some hundreds. That is far inside
FP16's range, but its square is not: the variance becomes Inf, x/Inf is 0, and the model answers the same
for every input.

At fault: `norm_pow`, `norm_var`, `norm_eps` and `norm_sqrt`, each of them enough by itself.
"""

from __future__ import annotations

import onnx
from _builder import Graph, write


def build(
    dim: int = 64, hidden: int = 128, classes: int = 16, gain: float = 1500.0, seed: int = 0
) -> onnx.ModelProto:
    """Builds the MLP: input `x` float32 [8, dim], output `logits` float32 [8, classes]."""
    graph = Graph("layernorm_overflow", opset=13, seed=seed)
    x = graph.input("x", [8, dim])
    h = graph.op("fc1_relu", "Relu", graph.linear("fc1", x, dim, hidden))
    h = graph.linear("fc2", h, hidden, hidden, gain=gain)
    h = graph.layer_norm("norm", h, hidden)
    h = graph.op("fc3_relu", "Relu", graph.linear("fc3", h, hidden, hidden))
    h = graph.op("skip", "Add", h, "norm_add")
    h = graph.op("fc4_relu", "Relu", graph.linear("fc4", h, hidden, hidden))
    head = graph.op("head", "MatMul", h, graph.normal("head.weight", hidden, classes, scale=hidden**-0.5))
    logits = graph.op("logits", "Add", head, graph.normal("head.bias", classes, scale=0.1))
    return graph.model(logits, [8, classes])


if __name__ == "__main__":
    write(build, __doc__)
