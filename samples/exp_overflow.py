"""A hand-written softmax that does not subtract the maximum first.

The logits are soft-capped at +-15. exp(15) is 3.3 million: harmless in FP32, Inf in FP16, as everything
above exp(11.09) is; and Inf/Inf is NaN.

At fault: `exp` (stores Inf), `sum` and `div` (read what FP16 can't hold), each of them enough by itself.
`sum` alone makes the rows zero, the others make them NaN.
"""

from __future__ import annotations

import onnx
from _builder import Graph, write


def build(dim: int = 64, classes: int = 32, cap: float = 15.0, seed: int = 0) -> onnx.ModelProto:
    """Builds the classifier: input `x` float32 [8, dim], output `probabilities` float32 [8, classes]."""
    graph = Graph("exp_overflow", seed=seed)
    x = graph.input("x", [8, dim])
    h = graph.op("fc1_relu", "Relu", graph.linear("fc1", x, dim, dim))
    logits = graph.linear("fc2", h, dim, classes, gain=2.0 * cap)
    scaled = graph.op("cap_scale", "Div", logits, graph.constant("cap", cap))
    capped = graph.op("cap_logits", "Mul", graph.op("cap_tanh", "Tanh", scaled), "cap")
    exp = graph.op("exp", "Exp", capped)
    total = graph.op("sum", "ReduceSum", exp, graph.constant("sum.axes", [-1]), keepdims=1)
    div = graph.op("div", "Div", exp, total)
    smoothed = graph.op("smooth", "Mul", div, graph.constant("smooth.factor", 0.9))
    y = graph.op("probabilities", "Add", smoothed, graph.constant("smooth.rest", 0.1 / classes))
    return graph.model(y, [8, classes])


if __name__ == "__main__":
    write(build, __doc__)
