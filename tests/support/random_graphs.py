"""Random graphs for property tests: nodes on 4x4 floats, with branches, If bodies and Constant nodes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper
from seed_models import model_of, node, value, weight

UNARY = ("Relu", "Neg", "Tanh", "Identity")
BINARY = ("Add", "Mul", "Sub")


def random_graph(seed: int, size: int) -> onnx.ModelProto:
    """`size` nodes n0, n1, ... in topological order; n<i> writes t<i>; inputs x and y; all 4x4 float32."""
    random = np.random.default_rng(seed)
    tensors = ["x", "y", "w"]
    nodes = []
    for position in range(size):
        name, output = f"n{position}", f"t{position}"
        first, second = random.choice(tensors, 2)
        kind = random.integers(10)
        if kind < 4:
            made = node(str(random.choice(UNARY)), [first], [output], name)
        elif kind < 7:
            made = node(str(random.choice(BINARY)), [first, second], [output], name)
        elif kind == 7:
            made = node("Clip", [first, "", "high"], [output], name)
        elif kind == 8:
            made = helper.make_node("Constant", [], [output], name, value=weight("", random.random((4, 4))))
        else:
            bodies = [
                helper.make_graph(
                    [node(op, [first, second], [f"{output}_{op}"])], op, [], [value(f"{output}_{op}", [4, 4])]
                )
                for op in ("Add", "Mul")
            ]
            made = node("If", ["yes"], [output], name, then_branch=bodies[0], else_branch=bodies[1])
        nodes.append(made)
        tensors.append(output)
    read = {name for made in nodes for name in made.input}
    ends = [name for name in tensors[3:] if name not in read]
    return model_of(
        nodes,
        [value("x", [4, 4]), value("y", [4, 4])],
        [value(name, [4, 4]) for name in ends],
        [weight("w", random.random((4, 4))), weight("high", np.float32(0.5)), weight("yes", np.array(True))],
    )
