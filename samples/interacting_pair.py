"""Two nodes that are harmless one by one and wrong together.

Two redundant branches rescale the same accumulator by 1e-8, as an integer kernel's requantisation would,
and `Max` takes the larger. FP16 has nothing below 6e-8: a branch that works in FP16 reads its factor as 0
and gives 0. As long as the other branch works in FP32, `Max` hides that; only with both in FP16 is the
output wrong.

At fault: the pair {`left_requant`, `right_requant`}, neither of them alone.
"""

from __future__ import annotations

import onnx
from _builder import Graph, write


def build(dim: int = 32, classes: int = 8, factor: float = 1e-8, seed: int = 0) -> onnx.ModelProto:
    """Builds the model: input `x` float32 [8, dim], output `y` float32 [8, classes]."""
    graph = Graph("interacting_pair", seed=seed)
    x = graph.input("x", [8, dim])
    gate = graph.op("gate", "Sigmoid", graph.linear("fc1", x, dim, dim))
    # 20,000 to 40,000: large, so that the rescaled values (2e-4 to 4e-4) are normal numbers in FP16.
    spread = graph.op("spread", "Mul", gate, graph.constant("spread.factor", 2e4))
    accumulator = graph.op("accumulator", "Add", spread, graph.constant("offset", 2e4))
    left, right = (_branch(graph, side, accumulator, factor) for side in ("left", "right"))
    best = graph.op("best", "Max", left, right)
    head = graph.op("head", "MatMul", best, graph.normal("head.weight", dim, classes, scale=dim**-0.5))
    y = graph.op("y", "Add", head, graph.normal("head.bias", classes, scale=0.1))
    return graph.model(y, [8, classes])


def _branch(graph: Graph, side: str, accumulator: str, factor: float) -> str:
    """Adds one branch: the accumulator times `factor`, then brought to the scale of 1."""
    small = graph.op(f"{side}_requant", "Mul", accumulator, graph.constant(f"{side}_requant.factor", factor))
    return graph.op(f"{side}_scale", "Mul", small, graph.constant(f"{side}_scale.factor", 2500.0))


if __name__ == "__main__":
    write(build, __doc__)
