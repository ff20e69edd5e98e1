"""Seeded random graphs of real op mixes: convolutions, attention, norms, shape arithmetic, If, Loop, LSTM, Q/DQ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper
from op_mix_blocks import (
    CHANNELS,
    IMAGE,
    LENGTH,
    SEQUENCE,
    SIDE,
    WIDTH,
    Net,
    determinant,
    quantised,
    to_sequence,
)

SEEDS = range(64)
BATCH = 2
_VOCABULARY = 12


@dataclass(frozen=True)
class OpMix:
    """A graph that runs in FP16 without any fault.

    Attributes:
        model: 20 to 150 nodes, of which some have no name; batch fixed or dynamic; opset 13, 15 or 17.
        feeds: inputs on which every output is finite.
        quantised: it has Q/DQ pairs, so that TensorRT needs INT8.
        lacking: operator that TensorRT does not have; None where it has all.
    """

    model: onnx.ModelProto
    feeds: Mapping[str, np.ndarray]
    quantised: bool
    lacking: str | None


def op_mix(seed: int) -> OpMix:
    """The graph of this seed; always the same."""
    opset = (17, 13, 15)[seed % 3]
    net = Net(seed, opset, BATCH if seed % 2 else "batch")
    size = int(net.rng.integers(20, 120))
    lacking = "Det" if seed % 16 == 15 else None
    feeds, stream = _begin(net, seed % 4)
    blocks = [b for b in SEQUENCE if b is not quantised or seed % 5 == 0]
    net.rng.shuffle(blocks)
    block = 0
    while len(net.nodes) < size:
        stream = blocks[block % len(blocks)](net, stream)
        block += 1
        if net.rng.random() < 0.1:
            _end(net, stream)  # an output that others read too
    if lacking:
        stream = determinant(net, stream)
    _end(net, stream)
    graph = helper.make_graph(net.nodes, f"mix{seed}", net.inputs, net.outputs, net.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return OpMix(model, feeds, net.quantised, lacking)


def _begin(net: Net, kind: int) -> tuple[dict[str, np.ndarray], str]:
    """Inputs, and the stream that they become: from a sequence, token ids, or an image by way of convolutions."""
    rng = np.random.default_rng(net.rng.integers(1 << 30))
    if kind < 2:
        return _input(net, "x", rng.normal(size=(BATCH, LENGTH, WIDTH)).astype(np.float32)), "x"
    if kind == 2:
        feeds = _input(net, "ids", rng.integers(0, _VOCABULARY, (BATCH, LENGTH)))
        return feeds, net("Gather", net.weight(_VOCABULARY, WIDTH, scale=1.0), "ids", axis=0)
    feeds = _input(net, "image", rng.normal(size=(BATCH, 3, SIDE, SIDE)).astype(np.float32))
    stream = net("Conv", "image", net.weight(CHANNELS, 3, 3, 3), pads=[1, 1, 1, 1])
    blocks = list(IMAGE)
    net.rng.shuffle(blocks)
    for block in blocks[: int(net.rng.integers(3, len(blocks)))]:
        stream = block(net, stream)
    return feeds, to_sequence(net, stream)


def _input(net: Net, name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    kind = TensorProto.FLOAT if value.dtype == np.float32 else TensorProto.INT64
    net.inputs.append(helper.make_tensor_value_info(name, kind, [net.batch, *value.shape[1:]]))
    return {name: value}


def _end(net: Net, stream: str) -> None:
    if stream not in {o.name for o in net.outputs}:
        net.outputs.append(
            helper.make_tensor_value_info(stream, TensorProto.FLOAT, [net.batch, LENGTH, WIDTH])
        )
