"""A healthy model: a ResNet-18, BatchNorm folded into the convolutions, 48 nodes.

Nothing is at fault. FP16 engines of it differ from FP32 by rounding alone, about 1e-3 of the output.
"""

from __future__ import annotations

import onnx
from _builder import Graph, write


def build(size: int = 224, width: int = 64, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """Builds the network: input `image` float32 [1, 3, size, size], output `logits` float32 [1, classes]."""
    graph = Graph("cnn", seed=seed)
    x = graph.input("image", [1, 3, size, size])
    x = graph.op("stem_relu", "Relu", _conv(graph, "stem", x, 3, width, kernel=7, stride=2))
    x = graph.op("stem_pool", "MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = width
    for stage in range(4):
        wider = width * 2**stage
        for unit in range(2):
            x = _basic_block(graph, f"s{stage}_u{unit}", x, channels, wider)
            channels = wider
    x = graph.op("pool", "ReduceMean", x, axes=[2, 3], keepdims=0)
    weight = graph.normal("head.weight", channels, classes, scale=channels**-0.5)
    logits = graph.op("logits", "Gemm", x, weight, graph.normal("head.bias", classes, scale=0.1))
    return graph.model(logits, [1, classes])


def _conv(
    graph: Graph,
    name: str,
    x: str,
    inner: int,
    outer: int,
    kernel: int = 3,
    stride: int = 1,
    gain: float = 1.4,
) -> str:
    """Adds a padded convolution; `gain` 1.4 (root 2) keeps the scale across a ReLU."""
    weight = graph.normal(
        f"{name}.weight", outer, inner, kernel, kernel, scale=gain / (inner * kernel**2) ** 0.5
    )
    bias = graph.normal(f"{name}.bias", outer, scale=0.05)
    return graph.op(
        name,
        "Conv",
        x,
        weight,
        bias,
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=[kernel // 2] * 4,
    )


def _basic_block(graph: Graph, name: str, x: str, inner: int, outer: int) -> str:
    """Adds two 3x3 convolutions with a shortcut, a strided 1x1 convolution where the width changes."""
    stride = 1 if inner == outer else 2
    shortcut = x if stride == 1 else _conv(graph, f"{name}_down", x, inner, outer, 1, stride, gain=1.0)
    h = graph.op(f"{name}_relu1", "Relu", _conv(graph, f"{name}_conv1", x, inner, outer, stride=stride))
    h = graph.op(f"{name}_sum", "Add", _conv(graph, f"{name}_conv2", h, outer, outer, gain=0.5), shortcut)
    return graph.op(f"{name}_relu2", "Relu", h)


if __name__ == "__main__":
    write(build, __doc__)
