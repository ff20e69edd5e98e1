"""A near miss: causal attention whose additive mask of -1e9 is -Inf in FP16.

The scores do become -Inf in the middle of the model, but Softmax turns -Inf into 0 just as it does -1e9,
and no row is masked as a whole. The outputs match, so nothing is at fault: a debugger that cries at the
first Inf is wrong here.
"""

from __future__ import annotations

import numpy as np
import onnx
from _builder import Graph, write


def build(dim: int = 32, length: int = 16, masked: float = -1e9, seed: int = 0) -> onnx.ModelProto:
    """Builds one attention head: input `x` and output `y`, both float32 [1, length, dim]."""
    graph = Graph("softmax_mask", seed=seed)
    x = graph.input("x", [1, length, dim])
    q = graph.linear("q", x, dim, dim)
    k = graph.op("k_rows", "Transpose", graph.linear("k", x, dim, dim), perm=[0, 2, 1])
    v = graph.linear("v", x, dim, dim)
    scores = graph.op(
        "scale", "Mul", graph.op("scores", "MatMul", q, k), graph.constant("scale.factor", dim**-0.5)
    )
    mask = graph.constant("causal_mask", np.triu(np.full((length, length), masked), k=1))
    weights = graph.op("softmax", "Softmax", graph.op("masked", "Add", scores, mask), axis=-1)
    out = graph.linear("out", graph.op("context", "MatMul", weights, v), dim, dim)
    y = graph.op("y", "Add", out, x)
    return graph.model(y, [1, length, dim])


if __name__ == "__main__":
    write(build, __doc__)
