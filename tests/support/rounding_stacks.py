"""Residual stacks whose healthy nodes round, with a fault among them or none."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx
from seed_models import model_of, node, value, weight

Fault = Literal["", "overflow", "cancel"]

WIDTH = 16


def stack(blocks: int, fault: Fault = "", at: int = 0, big: float = 1e6) -> onnx.ModelProto:
    """h += tanh(h W), `blocks` times. Before block `at` stands the fault.

    overflow: `up` times `big`, `down` divided by it. cancel: `shift` adds `big`, `difference` takes it away again.
    """
    random = np.random.default_rng(0)
    nodes, weights, h = [], [], "x"
    for i in range(blocks):
        if fault and i == at:
            nodes += _fault(fault, h)
            weights += [weight("big", np.float32(big)), weight("small", np.float32(1 / big))]
            h = "back"
        weights.append(
            weight(f"w{i}", (random.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32))
        )
        after = "y" if i == blocks - 1 else f"h{i}"
        nodes += [
            node("MatMul", [h, f"w{i}"], [f"m{i}"], f"matmul{i}"),
            node("Tanh", [f"m{i}"], [f"t{i}"], f"tanh{i}"),
            node("Add", [h, f"t{i}"], [after], f"add{i}"),
        ]
        h = after
    return model_of(nodes, [value("x", [8, WIDTH])], [value("y", [8, WIDTH])], weights)


def _fault(fault: Fault, h: str) -> list[onnx.NodeProto]:
    if fault == "overflow":
        return [node("Mul", [h, "big"], ["off"], "up"), node("Mul", ["off", "small"], ["back"], "down")]
    return [node("Add", [h, "big"], ["off"], "shift"), node("Sub", ["off", "big"], ["back"], "difference")]
