"""Blocks of real networks, to be mixed into random graphs. Each takes the stream and gives it back in its shape.

All keep the stream at about unit scale, and no decision in them (TopK, ArgMax, If) hangs on a rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LENGTH, WIDTH, HEADS = 8, 16, 2
CHANNELS, SIDE = 8, 8


class Net:
    """A graph that grows node by node; every third node goes without a name."""

    def __init__(self, seed: int, opset: int, batch: int | str) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset, self.batch = opset, batch
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.quantised = False
        self._count = 0

    def __call__(self, op: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """Adds a node; gives its first output. Further ones are called `<first>.1`, ..."""
        return self.all_of(op, *inputs, outputs=outputs, **attributes)[0]

    def all_of(self, op: str, *inputs: str, outputs: int, **attributes: object) -> list[str]:
        number = self._count
        self._count += 1
        names = [f"t{number}", *(f"t{number}.{k}" for k in range(1, outputs))]
        name = "" if number % 3 == 2 else f"/mix/{op}_{number}"
        self.nodes.append(helper.make_node(op, list(inputs), names, name, **attributes))
        return names

    def weight(self, *shape: int, scale: float | None = None) -> str:
        """Normal numbers that keep the scale of what they are multiplied with, unless `scale` is given."""
        fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0] if shape else 1
        return self.held(self.rng.normal(0, fan_in**-0.5 if scale is None else scale, shape))

    def held(self, value: object, integer: bool = False) -> str:
        """An initialiser, or now and then a Constant node: float32, or int64."""
        array = np.asarray(value, np.int64 if integer else np.float32)
        number = self._count
        self._count += 1
        if array.size < 8 and self.rng.random() < 0.3:
            self.nodes.append(
                helper.make_node("Constant", [], [f"c{number}"], value=numpy_helper.from_array(array))
            )
            return f"c{number}"
        self.weights.append(numpy_helper.from_array(array, f"w{number}"))
        return f"w{number}"

    def ints(self, *values: int) -> str:
        return self.held(values, integer=True)

    def residual(self, x: str, branch: str) -> str:
        return self("Mul", self("Add", x, branch), self.held(0.7071))

    def size(self, x: str, axis: int) -> str:
        """One dimension as an int64 vector of one: Shape -> Gather -> Unsqueeze."""
        picked = self("Gather", self("Shape", x), self.held(axis, integer=True), axis=0)
        return self("Unsqueeze", picked, self.ints(0))

    def body_value(self, name: str, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        """A border of a body whose shape is not told."""
        return helper.make_tensor_value_info(name, dtype, None)

    def fresh(self) -> str:
        self._count += 1
        return f"b{self._count}"


# on sequences: batch x LENGTH x WIDTH ---------------------------------------------------------------------


def linear(net: Net, x: str) -> str:
    return net("Add", net("MatMul", x, net.weight(WIDTH, WIDTH)), net.weight(WIDTH, scale=0.1))


def attention(net: Net, x: str) -> str:
    """Heads split and joined by shape arithmetic, with an additive mask."""
    heads, width = HEADS, WIDTH // HEADS
    batch = net.size(x, 0)
    length = net.size(x, 1)
    split = net("Concat", batch, length, net.ints(heads, width), axis=0)

    def head(perm: list[int]) -> str:
        return net("Transpose", net("Reshape", linear(net, x), split), perm=perm)

    scores = net("MatMul", head([0, 2, 1, 3]), head([0, 2, 3, 1]))
    scores = net("Mul", scores, net.held(width**-0.5))
    mask = np.triu(np.full((LENGTH, LENGTH), -1e4, np.float32), 1)
    probabilities = net("Softmax", net("Add", scores, net.held(mask)), axis=-1)
    mixed = net("Transpose", net("MatMul", probabilities, head([0, 2, 1, 3])), perm=[0, 2, 1, 3])
    joined = net("Reshape", mixed, net("Concat", batch, length, net.ints(WIDTH), axis=0))
    return net.residual(x, linear(net, joined))


def decomposed_norm(net: Net, x: str) -> str:
    centred = net("Sub", x, net("ReduceMean", x, axes=[-1], keepdims=1))
    square = net("Pow", centred, net.held(2.0))
    variance = net("Add", net("ReduceMean", square, axes=[-1], keepdims=1), net.held(1e-3))
    scaled = net("Mul", net("Div", centred, net("Sqrt", variance)), net.held(np.ones(WIDTH)))
    return net("Add", scaled, net.weight(WIDTH, scale=0.05))


def layer_norm(net: Net, x: str) -> str:
    if net.opset < 17:
        return decomposed_norm(net, x)
    return net("LayerNormalization", x, net.held(np.ones(WIDTH)), net.weight(WIDTH, scale=0.05), axis=-1)


def feed_forward(net: Net, x: str) -> str:
    wide = net("MatMul", x, net.weight(WIDTH, 2 * WIDTH))
    kind = net.rng.integers(3)
    if kind == 0:  # GELU
        erf = net("Add", net("Erf", net("Mul", wide, net.held(0.7071))), net.held(1.0))
        bent = net("Mul", net("Mul", wide, erf), net.held(0.5))
    elif kind == 1:  # SiLU
        bent = net("Mul", wide, net("Sigmoid", wide))
    else:
        bent = net("Clip", wide, "", net.held(6.0))
    return net.residual(x, net("MatMul", bent, net.weight(2 * WIDTH, WIDTH)))


def rotated(net: Net, x: str) -> str:
    """Slice, Neg, Concat: half the width changes places."""
    half = WIDTH // 2
    first = net("Slice", x, net.ints(0), net.ints(half), net.ints(2))
    second = net("Slice", x, net.ints(half), net.ints(2**31), net.ints(-1), net.ints(1))
    return net.residual(x, net("Concat", net("Neg", second), first, axis=-1))


def gated(net: Net, x: str) -> str:
    wide = net("MatMul", x, net.weight(WIDTH, 2 * WIDTH))
    value, gate = net.all_of("Split", wide, net.ints(WIDTH, WIDTH), outputs=2, axis=2)
    return net.residual(x, net("Mul", value, net("Sigmoid", gate)))


def gathered(net: Net, x: str) -> str:
    order = net.rng.permutation(LENGTH)
    return net.residual(x, net("Gather", x, net.ints(*map(int, order)), axis=1))


def flattened(net: Net, x: str) -> str:
    """To batch*length x width and back, the sizes computed."""
    rows = net("Mul", net.size(x, 0), net.size(x, 1))
    flat = net("Reshape", x, net("Concat", rows, net.ints(-1), axis=0))
    flat = net("Gemm", flat, net.weight(WIDTH, WIDTH), net.weight(WIDTH, scale=0.1))
    return net("Reshape", flat, net("Shape", x))


def positioned(net: Net, x: str) -> str:
    """Adds sines of positions: Range, Cast, Sin, Expand."""
    length = net("Gather", net("Shape", x), net.held(1, integer=True), axis=0)
    steps = net("Cast", net("Range", net.held(0, True), length, net.held(1, True)), to=TensorProto.FLOAT)
    waves = net("Sin", net("Unsqueeze", net("Mul", steps, net.held(0.5)), net.ints(0, 2)))
    return net.residual(x, net("Expand", waves, net("Shape", x)))


def bounded(net: Net, x: str) -> str:
    """Where and ConstantOfShape: a leaky slope, made the long way."""
    zeros = net("ConstantOfShape", net("Shape", x))
    slope = net("Mul", x, net.held(0.1))
    return net("Where", net("Greater", x, zeros), x, slope)


def reduced(net: Net, x: str) -> str:
    kind = str(net.rng.choice(["ReduceMax", "ReduceL2", "ReduceSum", "ReduceMin"]))
    if kind == "ReduceSum":
        total = net("Div", net("ReduceSum", x, net.ints(1), keepdims=1), net.held(float(LENGTH)))
    else:
        total = net(kind, x, axes=[1], keepdims=1)
    return net.residual(x, net("Tanh", total))


def chosen_rows(net: Net, x: str) -> str:
    """TopK of scores that a ramp decides, and the rows that it names put back in place of the first ones."""
    ramp = net.rng.permutation(LENGTH).astype(np.float32)
    scores = net("Mul", net("ReduceMean", x, axes=[2], keepdims=0), net.held(0.05))
    values, places = net.all_of("TopK", net("Add", scores, net.held(ramp)), net.ints(4), outputs=2, axis=1)
    index = net("Expand", net("Unsqueeze", places, net.ints(2)), net.ints(1, 4, WIDTH))
    picked = net("GatherElements", x, index, axis=1)
    heads = net("Mul", picked, net("Sigmoid", net("Unsqueeze", values, net.ints(2))))
    rest = net("Slice", x, net.ints(4), net.ints(LENGTH), net.ints(1))
    return net("Concat", heads, rest, axis=1)


def classified(net: Net, x: str) -> str:
    """ArgMax, integer arithmetic on it, and back to floats."""
    ramp = net.rng.permutation(WIDTH).astype(np.float32)
    best = net("ArgMax", net("Add", net("Mul", x, net.held(0.05)), net.held(ramp)), axis=2, keepdims=1)
    shifted = net("Sub", net("Add", best, net.held(3, True)), net.held(WIDTH // 2, True))
    return net.residual(x, net("Mul", net("Cast", shifted, to=TensorProto.FLOAT), net.held(0.1)))


def quantised(net: Net, x: str) -> str:
    """A linear layer between Q/DQ pairs, its weight in INT8, stored so or made so."""
    net.quantised = True
    zero = f"zero{len(net.weights)}"
    net.weights.append(numpy_helper.from_array(np.int8(0), zero))
    scale = net.held(4 / 127)
    pair = net("DequantizeLinear", net("QuantizeLinear", x, scale, zero), scale, zero)
    step = net.held(1 / 52 * WIDTH**-0.5)
    if net.rng.random() < 0.5:
        stored = f"int8_{len(net.weights)}"
        values = net.rng.integers(-90, 91, (WIDTH, WIDTH)).astype(np.int8)
        net.weights.append(numpy_helper.from_array(values, stored))
    else:
        stored = net("QuantizeLinear", net.weight(WIDTH, WIDTH), step, zero)
    weight = net("DequantizeLinear", stored, step, zero)
    return net.residual(x, net("MatMul", pair, weight))


def branched(net: Net, x: str) -> str:
    """An If whose branches read x and a weight from around them; in one of them lies another If."""
    energy = net("ReduceSum", net("Mul", x, x), keepdims=0)
    positive = net("Greater", energy, net.held(1e-2 if net.rng.random() < 0.5 else 3e4))
    shared = net.weight(WIDTH, WIDTH)
    a, b, c, d, e, f = (net.fresh() for _ in range(6))
    inner_then = helper.make_graph([helper.make_node("Neg", [a], [c])], "inner", [], [net.body_value(c)])
    inner_else = helper.make_graph(
        [helper.make_node("Tanh", [a], [d], "inner_tanh")], "other", [], [net.body_value(d)]
    )
    nested = helper.make_node("If", [positive], [b], "nested", then_branch=inner_then, else_branch=inner_else)
    then = helper.make_graph(
        [helper.make_node("MatMul", [x, shared], [a], "inner_matmul"), nested],
        "then",
        [],
        [net.body_value(b)],
    )
    half = numpy_helper.from_array(np.float32(0.5), f"{f}_half")
    otherwise = helper.make_graph(
        [
            helper.make_node("Constant", [], [e], value=numpy_helper.from_array(np.float32(0.25))),
            helper.make_node("Mul", [x, f"{f}_half"], [f"{f}_scaled"]),
            helper.make_node("Add", [f"{f}_scaled", e], [f]),
        ],
        "else",
        [],
        [net.body_value(f)],
        [half],
    )
    chosen = net("If", positive, then_branch=then, else_branch=otherwise)
    return net.residual(x, net("MatMul", chosen, shared))


def looped(net: Net, x: str) -> str:
    """Three rounds of state = tanh(state W + x / 2), with W from around; the mean of the states goes on."""
    shared = net.weight(WIDTH, WIDTH)
    i, on, state, product, half, total, following, on_out, step = (net.fresh() for _ in range(9))
    body = helper.make_graph(
        [
            helper.make_node("MatMul", [state, shared], [product], "step_matmul"),
            helper.make_node("Mul", [x, f"{half}_w"], [half]),
            helper.make_node("Add", [product, half], [total]),
            helper.make_node("Tanh", [total], [following]),
            helper.make_node("Identity", [on], [on_out]),
            helper.make_node("Relu", [following], [step]),
        ],
        "body",
        [
            helper.make_tensor_value_info(i, TensorProto.INT64, []),
            helper.make_tensor_value_info(on, TensorProto.BOOL, []),
            net.body_value(state),
        ],
        [
            helper.make_tensor_value_info(on_out, TensorProto.BOOL, []),
            net.body_value(following),
            net.body_value(step),
        ],
        [numpy_helper.from_array(np.float32(0.5), f"{half}_w")],
    )
    yes = f"yes{len(net.weights)}"
    net.weights.append(numpy_helper.from_array(np.array(True), yes))
    last, steps = net.all_of("Loop", net.held(3, True), yes, x, outputs=2, body=body)
    return net.residual(last, net("ReduceMean", steps, axes=[0], keepdims=0))


def recurrent(net: Net, x: str) -> str:
    """LSTM or GRU over the sequence."""
    kind, gates = (("LSTM", 4), ("GRU", 3))[net.rng.integers(2)]
    w = net.held(net.rng.normal(0, 0.3, (1, gates * WIDTH, WIDTH)))
    r = net.held(net.rng.normal(0, 0.3, (1, gates * WIDTH, WIDTH)))
    biases = [net.held(net.rng.normal(0, 0.1, (1, 2 * gates * WIDTH)))] if net.rng.random() < 0.5 else []
    steps = net("Transpose", x, perm=[1, 0, 2])
    states = net(kind, steps, w, r, *biases, hidden_size=WIDTH)
    return net.residual(x, net("Transpose", net("Squeeze", states, net.ints(1)), perm=[1, 0, 2]))


def determinant(net: Net, x: str) -> str:
    """Det, which TensorRT does not have."""
    square = net("Slice", x, net.ints(0, 0), net.ints(4, 4), net.ints(1, 2))
    scale = net("Tanh", net("Det", square))
    return net.residual(x, net("Unsqueeze", scale, net.ints(1, 2)))


SEQUENCE: tuple[Callable[[Net, str], str], ...] = (
    attention,
    decomposed_norm,
    layer_norm,
    feed_forward,
    rotated,
    gated,
    gathered,
    flattened,
    positioned,
    bounded,
    reduced,
    chosen_rows,
    classified,
    quantised,
    branched,
    looped,
    recurrent,
)


# on images: batch x CHANNELS x SIDE x SIDE ------------------------------------------------------------------


def convolved(net: Net, x: str) -> str:
    """Conv, BatchNorm, Relu, with a residual."""
    y = net("Conv", x, net.weight(CHANNELS, CHANNELS, 3, 3), pads=[1, 1, 1, 1])
    scale, bias, mean = (net.held(v) for v in (np.ones(CHANNELS), np.zeros(CHANNELS), np.zeros(CHANNELS)))
    y = net("BatchNormalization", y, scale, bias, mean, net.held(np.full(CHANNELS, 0.9)))
    return net.residual(x, net("Relu", y))


def depthwise(net: Net, x: str) -> str:
    y = net("Conv", x, net.weight(CHANNELS, 1, 3, 3), pads=[1, 1, 1, 1], group=CHANNELS)
    y = net("Clip", y, net.held(-6.0), net.held(6.0))
    return net.residual(
        x, net("Conv", y, net.weight(CHANNELS, CHANNELS, 1, 1), net.weight(CHANNELS, scale=0.1))
    )


def pooled(net: Net, x: str) -> str:
    kind = str(net.rng.choice(["MaxPool", "AveragePool"]))
    return net.residual(x, net(kind, x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))


def resized(net: Net, x: str) -> str:
    """Half the size by a strided convolution, and back by Resize."""
    small = net("Conv", x, net.weight(CHANNELS, CHANNELS, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    scales = net.held([1.0, 1.0, 2.0, 2.0])
    large = net(
        "Resize", small, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    return net.residual(x, large)


def excited(net: Net, x: str) -> str:
    """Squeeze and excite."""
    squeezed = net("GlobalAveragePool", x)
    weights = net("Sigmoid", net("Conv", squeezed, net.weight(CHANNELS, CHANNELS, 1, 1)))
    return net.residual(x, net("Mul", x, weights))


def shuffled(net: Net, x: str) -> str:
    """Channel shuffle: Reshape by computed sizes, Transpose, Reshape."""
    shape = net("Concat", net.size(x, 0), net.ints(2, CHANNELS // 2, SIDE, SIDE), axis=0)
    turned = net("Transpose", net("Reshape", x, shape), perm=[0, 2, 1, 3, 4])
    return net("Reshape", turned, net("Shape", x))


def halved(net: Net, x: str) -> str:
    """Channels split, one half bent, joined again."""
    first, second = net.all_of("Split", x, outputs=2, axis=1)
    return net("Concat", net("LeakyRelu", first, alpha=0.3), net("HardSigmoid", second), axis=1)


def padded(net: Net, x: str) -> str:
    wide = net("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1), net.held(0.0))
    return net.residual(x, net("Conv", wide, net.weight(CHANNELS, CHANNELS, 3, 3)))


def normalised(net: Net, x: str) -> str:
    return net("InstanceNormalization", x, net.held(np.ones(CHANNELS)), net.weight(CHANNELS, scale=0.1))


IMAGE: tuple[Callable[[Net, str], str], ...] = (
    convolved,
    depthwise,
    pooled,
    resized,
    excited,
    shuffled,
    halved,
    padded,
    normalised,
)


def to_sequence(net: Net, x: str) -> str:
    """An image to a sequence of its pixels' channels, batch x LENGTH x WIDTH, by a strided convolution."""
    small = net("Conv", x, net.weight(WIDTH, CHANNELS, 4, 2), strides=[4, 2])
    flat = net("Reshape", small, net.ints(0, WIDTH, -1))
    return net("Transpose", flat, perm=[0, 2, 1])
