"""A transformer whose residual stream grows until the LayerNorms after it overflow FP16.

Block `loud_block` ends in a linear with weights times `gain`, so that the residual stream after it has an
RMS of some hundreds: harmless in FP32, but the squares in the LayerNorms after it pass 65504. In FP16 the
variance is Inf, x/Inf is 0, and the output is finite and wrong.

At fault (default arguments): `pow`, `var`, `eps` and `sqrt` of `b3_ln1`, `b3_ln2` and `lnf`: twelve
nodes, each of them enough by itself. The attention and the MLP of the blocks after the loud one add to
the stream on its own scale; without that nobody would see at the output that their LayerNorms are broken.
"""

from __future__ import annotations

import onnx
from _builder import Graph, write


def build(
    blocks: int = 4,
    dim: int = 256,
    heads: int = 4,
    length: int = 64,
    loud_block: int = 2,
    gain: float = 400.0,
    seed: int = 0,
) -> onnx.ModelProto:
    """Builds the transformer: input `x` and output `y`, both float32 [1, length, dim]."""
    graph = Graph("attention", opset=13, seed=seed)
    stream = graph.input("x", [1, length, dim])
    for block in range(blocks):
        before = gain if block > loud_block else 1.0
        after = gain if block >= loud_block else 1.0
        stream = _attention(graph, f"b{block}", stream, dim, heads, length, before)
        stream = _mlp(graph, f"b{block}", stream, dim, after)
    normed = graph.layer_norm("lnf", stream, dim)
    head = graph.op("head", "MatMul", normed, graph.normal("head.weight", dim, dim, scale=dim**-0.5))
    y = graph.op("y", "Add", head, graph.normal("head.bias", dim, scale=0.1))
    return graph.model(y, [1, length, dim])


def _attention(graph: Graph, block: str, stream: str, dim: int, heads: int, length: int, gain: float) -> str:
    """Adds `stream` + attention(LayerNorm(`stream`)); `out` makes up for the averaging of the softmax."""
    split = graph.constant(f"{block}.split", [1, length, heads, dim // heads])
    normed = graph.layer_norm(f"{block}_ln1", stream, dim)

    def head(name: str, perm: list[int]) -> str:
        projected = graph.linear(f"{block}_{name}", normed, dim, dim, bias=False)
        return graph.op(
            f"{block}_{name}_heads",
            "Transpose",
            graph.op(f"{block}_{name}_split", "Reshape", projected, split),
            perm=perm,
        )

    scores = graph.op(f"{block}_scores", "MatMul", head("q", [0, 2, 1, 3]), head("k", [0, 2, 3, 1]))
    scaled = graph.op(
        f"{block}_scale", "Mul", scores, graph.constant(f"{block}.scale", (dim // heads) ** -0.5)
    )
    weights = graph.op(f"{block}_softmax", "Softmax", scaled, axis=-1)
    context = graph.op(f"{block}_context", "MatMul", weights, head("v", [0, 2, 1, 3]))
    merged = graph.op(
        f"{block}_merge",
        "Reshape",
        graph.op(f"{block}_context_rows", "Transpose", context, perm=[0, 2, 1, 3]),
        graph.constant(f"{block}.merge", [1, length, dim]),
    )
    out = graph.linear(f"{block}_out", merged, dim, dim, gain=2.0 * gain, bias=False)
    return graph.op(f"{block}_attended", "Add", stream, out)


def _mlp(graph: Graph, block: str, stream: str, dim: int, gain: float) -> str:
    """Adds `stream` + MLP(LayerNorm(`stream`))."""
    normed = graph.layer_norm(f"{block}_ln2", stream, dim)
    hidden = graph.op(f"{block}_relu", "Relu", graph.linear(f"{block}_up", normed, dim, 2 * dim))
    down = graph.linear(f"{block}_down", hidden, 2 * dim, dim, gain=gain)
    return graph.op(f"{block}_stream", "Add", stream, down)


if __name__ == "__main__":
    write(build, __doc__)
